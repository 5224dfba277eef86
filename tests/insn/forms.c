/* SPDX-License-Identifier: MIT */
/*
 * Every form of every instruction of 64-bit mode that Zydis knows. Its tables are not part of its interface, so the
 * decoder is asked about each opcode with each prefix that can be a part of it, a million in all: half a second.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../host_kind.h"
#include "check.h"

#define FPU_OPCODES_FROM 0xd8
#define FPU_OPCODES_TO   0xdf

static ZydisDecoder the_decoder;
const ZydisDecoder *decoder = &the_decoder;
static struct forms forms;
static unsigned room;

/* Shapes already met, by hash. */
#define SHAPE_SLOTS (1u << 16)
static uint64_t shape_key[SHAPE_SLOTS];
static uint32_t shape_number[SHAPE_SLOTS];

static uint32_t shape_of(const ZydisDecodedInstruction *z, const ZydisDecodedOperand *op)
{
	uint64_t key = z->mnemonic | (uint64_t)z->encoding << 16 | (uint64_t)z->operand_count_visible << 24;

	for (unsigned i = 0; i < z->operand_count_visible; i++)
		key = (key ^ (op[i].type | (uint64_t)op[i].size << 8 | (uint64_t)op[i].actions << 32 |
		              (uint64_t)(op[i].encoding) << 48)) *
		      0x9e3779b97f4a7c15;
	key = key << 1 | 1;
	for (unsigned slot = key >> 48;; slot = (slot + 1) % SHAPE_SLOTS) {
		if (shape_key[slot] == key)
			return shape_number[slot];
		if (!shape_key[slot]) {
			shape_key[slot] = key;
			return shape_number[slot] = forms.shapes++;
		}
	}
}

static unsigned put_legacy(const struct form *f, uint8_t *to)
{
	unsigned n = 0;

	if (f->map != ZYDIS_OPCODE_MAP_DEFAULT)
		to[n++] = 0x0f;
	if (f->map == ZYDIS_OPCODE_MAP_0F38)
		to[n++] = 0x38;
	else if (f->map == ZYDIS_OPCODE_MAP_0F3A)
		to[n++] = 0x3a;
	else if (f->map == ZYDIS_OPCODE_MAP_0F0F)
		to[n++] = 0x0f;
	return n;
}

/* 0, 1, 2, 3 as VEX encodes the prefix. */
static unsigned pp_number(uint8_t pp)
{
	return pp == 0x66 ? 1 : pp == 0xf3 ? 2 : pp == 0xf2 ? 3 : 0;
}

static unsigned map_number(const struct form *f)
{
	switch (f->map) {
	case ZYDIS_OPCODE_MAP_XOP8:
		return 8;
	case ZYDIS_OPCODE_MAP_XOP9:
		return 9;
	case ZYDIS_OPCODE_MAP_XOPA:
		return 10;
	default:
		return f->map; /* 0F: 1, 0F38: 2, 0F3A: 3, MAP5: 5, MAP6: 6 */
	}
}

/* `rxb`, `vvvv` and `v2` as registers are numbered; `mask`: aaa. */
struct extension {
	unsigned rxb, r2, vvvv, v2, mask, zeroing;
};

static unsigned put_prefix(const struct form *f, const struct extension *e, bool short_form, uint8_t *to)
{
	const unsigned pp = pp_number(f->pp), tail = (~e->vvvv & 15) << 3;

	switch (f->encoding) {
	case ZYDIS_INSTRUCTION_ENCODING_VEX:
		if (short_form) {
			to[0] = 0xc5;
			to[1] = (e->rxb & 4 ? 0 : 0x80) | tail | f->l << 2 | pp;
			return 2;
		}
		__attribute__((fallthrough));
	case ZYDIS_INSTRUCTION_ENCODING_XOP:
		to[0] = f->encoding == ZYDIS_INSTRUCTION_ENCODING_XOP ? 0x8f : 0xc4;
		to[1] = (~e->rxb & 7) << 5 | map_number(f);
		to[2] = f->w << 7 | tail | f->l << 2 | pp;
		return 3;
	case ZYDIS_INSTRUCTION_ENCODING_EVEX:
		to[0] = 0x62;
		to[1] = (~e->rxb & 7) << 5 | (e->r2 ? 0 : 0x10) | map_number(f);
		to[2] = f->w << 7 | tail | 4 | pp;
		to[3] = e->zeroing << 7 | f->l << 5 | f->b << 4 | (e->v2 ? 0 : 8) | e->mask;
		return 4;
	default:
		return 0;
	}
}

/* The form with this ModRM byte, no register extended. */
static unsigned put_plain(const struct form *f, unsigned modrm, unsigned mask, uint8_t to[INSN_MAX])
{
	const struct extension none = {.mask = mask};
	unsigned n = 0;

	memset(to, 0, INSN_MAX);
	if (f->encoding == ZYDIS_INSTRUCTION_ENCODING_LEGACY || f->encoding == ZYDIS_INSTRUCTION_ENCODING_3DNOW) {
		if (f->pp)
			to[n++] = f->pp;
		if (f->w)
			to[n++] = 0x48;
		n += put_legacy(f, to + n);
		if (f->encoding == ZYDIS_INSTRUCTION_ENCODING_3DNOW) {
			to[n++] = modrm;
			to[n++] = f->opcode;
			return n;
		}
	} else {
		n = put_prefix(f, &none, false, to);
	}
	to[n++] = f->opcode;
	to[n++] = modrm;
	if ((modrm & 0xc7) == 4)
		to[n++] = 0x08; /* SIB: RAX and RCX or a vector register */
	return n;
}

static void add(const struct form *f)
{
	if (forms.count == room) {
		room = room ? 2 * room : 4096;
		forms.form = realloc(forms.form, room * sizeof(*forms.form));
		if (!forms.form)
			abort();
	}
	forms.form[forms.count++] = *f;
}

/* Whether it has to do with x87, MMX or XMM registers. */
static bool uses_fpu(const struct form *f, const ZydisDecodedInstruction *z, const ZydisDecodedOperand *op)
{
	if (f->map == ZYDIS_OPCODE_MAP_DEFAULT && f->opcode >= FPU_OPCODES_FROM && f->opcode <= FPU_OPCODES_TO)
		return true;
	for (unsigned i = 0; i < z->operand_count_visible; i++)
		if (op[i].type == ZYDIS_OPERAND_TYPE_REGISTER && op[i].reg.value >= ZYDIS_REGISTER_ST0 &&
		    op[i].reg.value <= ZYDIS_REGISTER_ZMM31)
			return true;
	return false;
}

/* Asks for one ModRM byte; a form like one that this opcode has had already only widens it. */
static void ask(struct form *f, unsigned modrm, unsigned first)
{
	const bool memory = modrm < 0xc0;
	ZydisDecodedInstruction z;
	ZydisDecodedOperand op[ZYDIS_MAX_OPERAND_COUNT];
	uint8_t bytes[INSN_MAX];
	uint32_t shape;

	f->masked = f->vsib = false;
	put_plain(f, modrm, 0, bytes);
	if (ZYAN_FAILED(ZydisDecoderDecodeFull(decoder, bytes, INSN_MAX, &z, op))) {
		if (f->encoding != ZYDIS_INSTRUCTION_ENCODING_EVEX && f->encoding != ZYDIS_INSTRUCTION_ENCODING_VEX)
			return;
		/* Some want a mask, some an index. */
		f->masked = f->encoding == ZYDIS_INSTRUCTION_ENCODING_EVEX;
		f->vsib = memory;
		put_plain(f, memory ? modrm | 4 : modrm, f->masked, bytes);
		if (ZYAN_FAILED(ZydisDecoderDecodeFull(decoder, bytes, INSN_MAX, &z, op)))
			return;
	}
	if (z.encoding != f->encoding || z.opcode_map != f->map)
		return;
	f->mnemonic = z.mnemonic;
	f->group = f->encoding != ZYDIS_INSTRUCTION_ENCODING_LEGACY && f->encoding != ZYDIS_INSTRUCTION_ENCODING_3DNOW
	               ? GROUP_VECTOR
	           : uses_fpu(f, &z, op) ? GROUP_FPU
	                                 : GROUP_INTEGER;
	f->has_modrm = z.attributes & ZYDIS_ATTRIB_HAS_MODRM;
	f->memory = f->has_modrm && memory;
	shape = shape_of(&z, op);
	for (unsigned i = first; i < forms.count; i++) {
		struct form *o = &forms.form[i];

		if (o->shape == shape && o->memory == f->memory) {
			o->regs |= 1u << (modrm >> 3 & 7);
			o->rms |= memory ? 0 : 1u << (modrm & 7);
			return;
		}
	}
	f->shape = shape;
	f->regs = 1u << (modrm >> 3 & 7);
	f->rms = memory ? 0 : f->encoding == ZYDIS_INSTRUCTION_ENCODING_LEGACY ? 1u << (modrm & 7) : 0xff;
	add(f);
}

static void ask_opcode(struct form f)
{
	const unsigned first = forms.count;

	for (unsigned reg = 0; reg < 8; reg++) {
		ask(&f, reg << 3, first);
		if (forms.count > first && !forms.form[first].has_modrm)
			return;
		/* Behind VEX, EVEX and XOP it is always an operand. */
		for (unsigned rm = 0; rm < (f.encoding == ZYDIS_INSTRUCTION_ENCODING_LEGACY ? 8 : 1); rm++)
			ask(&f, 0xc0 | reg << 3 | rm, first);
	}
}

static bool is_prefix(const struct form *f)
{
	static const uint8_t prefixes[] = {0x0f, 0x26, 0x2e, 0x36, 0x3e, 0x62, 0x64, 0x65,
	                                   0x66, 0x67, 0xc4, 0xc5, 0xf0, 0xf2, 0xf3};

	return f->map == ZYDIS_OPCODE_MAP_DEFAULT &&
	       ((f->opcode & 0xf0) == 0x40 || memchr(prefixes, f->opcode, sizeof(prefixes)));
}

static void ask_encoding(uint8_t encoding, uint8_t map, unsigned lengths, unsigned bits)
{
	static const uint8_t pps[] = {0, 0x66, 0xf3, 0xf2};
	struct form f = {.encoding = encoding, .map = map};

	for (unsigned i = 0; i < 256 * 4 * 2 * lengths * bits; i++) {
		unsigned n = i;

		f.opcode = n % 256, n /= 256;
		f.pp = pps[n % 4], n /= 4;
		f.w = n % 2, n /= 2;
		f.l = n % lengths, n /= lengths;
		f.b = n;
		if (encoding == ZYDIS_INSTRUCTION_ENCODING_LEGACY &&
		    (is_prefix(&f) || (map == ZYDIS_OPCODE_MAP_0F && (f.opcode == 0x38 || f.opcode == 0x3a))))
			continue;
		ask_opcode(f);
	}
}

static int by_group(const void *a, const void *b)
{
	const struct form *x = a, *y = b;

	if (x->group != y->group)
		return x->group - y->group;
	if (x->mnemonic != y->mnemonic)
		return x->mnemonic - y->mnemonic;
	return memcmp(x, y, sizeof(*x));
}

static void index_groups(void)
{
	qsort(forms.form, forms.count, sizeof(*forms.form), by_group);
	for (unsigned i = 0; i < forms.count; i++) {
		const struct form *f = &forms.form[i];
		struct form_run *run;
		unsigned *n = &forms.mnemonics[f->group];

		if (i == 0 || f[-1].group != f->group || f[-1].mnemonic != f->mnemonic)
			forms.run[f->group][(*n)++] = (struct form_run){.first = i};
		run = &forms.run[f->group][*n - 1];
		run->count++;
	}
}

const struct forms *forms_find(void)
{
	if (forms.count)
		return &forms;
	ZydisDecoderInit(&the_decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
	ZydisDecoderEnableMode(&the_decoder, ZYDIS_DECODER_MODE_AMD_BRANCHES, !cpu_is_intel());
	for (uint8_t map = ZYDIS_OPCODE_MAP_DEFAULT; map <= ZYDIS_OPCODE_MAP_0F3A; map++)
		ask_encoding(ZYDIS_INSTRUCTION_ENCODING_LEGACY, map, 1, 1);
	ask_encoding(ZYDIS_INSTRUCTION_ENCODING_3DNOW, ZYDIS_OPCODE_MAP_0F0F, 1, 1);
	for (uint8_t map = ZYDIS_OPCODE_MAP_0F; map <= ZYDIS_OPCODE_MAP_0F3A; map++)
		ask_encoding(ZYDIS_INSTRUCTION_ENCODING_VEX, map, 2, 1);
	for (uint8_t map = ZYDIS_OPCODE_MAP_0F; map <= ZYDIS_OPCODE_MAP_MAP6; map++)
		ask_encoding(ZYDIS_INSTRUCTION_ENCODING_EVEX, map, 4, 2);
	for (uint8_t map = ZYDIS_OPCODE_MAP_XOP8; map <= ZYDIS_OPCODE_MAP_XOPA; map++)
		ask_encoding(ZYDIS_INSTRUCTION_ENCODING_XOP, map, 2, 1);
	index_groups();
	return &forms;
}

/* ModRM, SIB and displacement at random: what they lead to is decided later. */
static unsigned put_modrm(const struct form *f, struct dice *d, uint8_t *to)
{
	unsigned reg, rm, mod = 3, n = 0;

	do
		reg = dice_throw(d, 8);
	while (!(f->regs >> reg & 1));
	if (f->memory) {
		mod = dice_throw(d, 3);
		rm = f->vsib || dice_one_in(d, 3) ? 4 : dice_throw(d, 8);
	} else {
		do
			rm = dice_throw(d, 8);
		while (!(f->rms >> rm & 1));
	}
	to[n++] = mod << 6 | reg << 3 | rm;
	if (mod < 3 && rm == 4)
		to[n++] = dice_u64(d);
	for (unsigned bytes = mod == 1                                                  ? 1
	                      : mod == 2 || (mod == 0 && (rm == 5 || (to[1] & 7) == 5)) ? 4
	                                                                                : 0;
	     bytes; bytes--)
		to[n++] = dice_u64(d);
	return n;
}

/* Prefixes that are no part of the opcode: legal, of no effect, or not allowed here. */
static unsigned put_extra_prefixes(const struct form *f, struct dice *d, uint8_t *to)
{
	static const uint8_t all[] = {0x66, 0xf2, 0xf3, 0x67, 0x2e, 0x36, 0x3e, 0x26, 0x64, 0x65, 0xf0};
	const bool legacy = f->encoding == ZYDIS_INSTRUCTION_ENCODING_LEGACY;
	unsigned n = 0;

	if (f->memory && dice_one_in(d, 6))
		to[n++] = dice_one_in(d, 2) ? 0x64 : 0x65;
	if (dice_one_in(d, 10))
		to[n++] = 0x67;
	if (legacy && f->memory && dice_one_in(d, 6))
		to[n++] = 0xf0;
	if (legacy && !f->pp && dice_one_in(d, 8))
		to[n++] = dice_one_in(d, 2) ? 0xf2 : 0xf3;
	if (dice_one_in(d, 12))
		to[n++] = all[dice_throw(d, sizeof(all))];
	return n;
}

static struct extension throw_extension(const struct form *f, struct dice *d)
{
	struct extension e = {.rxb = dice_u64(d) & 7};

	if (dice_one_in(d, 2))
		e.vvvv = dice_throw(d, 16);
	if (f->encoding == ZYDIS_INSTRUCTION_ENCODING_EVEX) {
		e.r2 = dice_throw(d, 2);
		e.v2 = e.vvvv ? dice_throw(d, 2) : 0;
		e.mask = f->masked || dice_one_in(d, 2) ? 1 + dice_throw(d, 7) : 0;
		e.zeroing = e.mask && !f->masked && dice_one_in(d, 3);
	}
	return e;
}

void form_encode(const struct form *f, struct dice *d, uint8_t bytes[INSN_MAX])
{
	uint8_t all[64];
	unsigned n = put_extra_prefixes(f, d, all);

	if (f->encoding == ZYDIS_INSTRUCTION_ENCODING_LEGACY || f->encoding == ZYDIS_INSTRUCTION_ENCODING_3DNOW) {
		const unsigned rex = f->w << 3 | (dice_one_in(d, 2) ? dice_u64(d) & 7 : 0);

		if (f->pp)
			all[n++] = f->pp;
		if (rex || dice_one_in(d, 8))
			all[n++] = 0x40 | rex;
		n += put_legacy(f, all + n);
	} else {
		struct extension e = throw_extension(f, d);
		const bool can_be_short = f->encoding == ZYDIS_INSTRUCTION_ENCODING_VEX &&
		                          f->map == ZYDIS_OPCODE_MAP_0F && !f->w && !(e.rxb & 3);

		n += put_prefix(f, &e, can_be_short && dice_one_in(d, 2), all + n);
	}
	if (f->encoding != ZYDIS_INSTRUCTION_ENCODING_3DNOW)
		all[n++] = f->opcode;
	if (f->has_modrm)
		n += put_modrm(f, d, all + n);
	if (f->encoding == ZYDIS_INSTRUCTION_ENCODING_3DNOW)
		all[n++] = f->opcode;
	while (n < INSN_MAX)
		all[n++] = dice_u64(d);
	memcpy(bytes, all, INSN_MAX);
}
