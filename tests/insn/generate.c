/* SPDX-License-Identifier: MIT */
/*
 * A case from its number: an instruction, where it lies, what it works on. The same seed and number make the same case
 * everywhere.
 */
#include <gnomon/x86.h>
#include <string.h>

#include "draft.h"

#define M(name)     ZYDIS_MNEMONIC_##name
#define STATUS      0x8d5 /* OF SF ZF AF PF CF */
#define RFLAGS_NT   (1 << 14)
#define RFLAGS_RF   (1 << 16)
#define RFLAGS_ID   (1 << 21)
#define XFEATURES   0xe7 /* what XSAVE and XRSTOR are asked for at most: x87, SSE, AVX, AVX-512 */
#define PATCH_BYTES 64
#define UNDEFINED   16 /* one case in so many is no instruction at all, or none that Zydis knows */
#define ENTER       8  /* one in so many is run by SERVICE_ENTER */

void generator_init(struct generator *g, uint64_t seed)
{
	g->seed = seed;
	g->forms = forms_find();
	memory_fill(seed, g->pages);
}

static bool decode(struct draft *t)
{
	return ZYAN_SUCCESS(ZydisDecoderDecodeFull(decoder, t->out->bytes, INSN_MAX, &t->z, t->op));
}

/* RAX and RDX say what these save, and must not be addresses. */
static bool addresses_by_its_mask(const struct draft *t)
{
	if (t->z.meta.category != ZYDIS_CATEGORY_XSAVE && t->z.meta.category != ZYDIS_CATEGORY_XSAVEOPT)
		return false;
	for (unsigned i = 0; i < t->z.operand_count_visible; i++) {
		const int base = gpr_number(t->op[i].mem.base), index = gpr_number(t->op[i].mem.index);

		if (t->op[i].type == ZYDIS_OPERAND_TYPE_MEMORY && (base == 0 || base == 2 || index == 0 || index == 2))
			return true;
	}
	return false;
}

static bool nobody_judges(const ZydisDecodedInstruction *z)
{
	const struct exclusion *e = exclusion_find(z->mnemonic);

	return e && e->judges == (JUDGE_NATIVE | JUDGE_NESTED);
}

/*
 * A CPU may know what Zydis does not, and go on behind it: whatever instruction it finds among the bytes must be none
 * that leads elsewhere or that is excluded.
 */
static bool safe_if_unknown(const uint8_t *bytes)
{
	for (unsigned from = 1; from < INSN_MAX; from++) {
		ZydisDecodedInstruction z;

		if (ZYAN_SUCCESS(ZydisDecoderDecodeInstruction(decoder, NULL, bytes + from, INSN_MAX - from, &z)) &&
		    (z.meta.branch_type != ZYDIS_BRANCH_TYPE_NONE || exclusion_find(z.mnemonic) ||
		     z.meta.category == ZYDIS_CATEGORY_INTERRUPT || z.meta.category == ZYDIS_CATEGORY_SYSTEM))
			return false;
	}
	return true;
}

static const struct form *pick_form(struct draft *t)
{
	static const uint8_t weights[] = {0, 0, 0, 0, 0, 0, 1, 1, 2, 2}; /* enum form_group */
	const struct forms *forms = t->g->forms;
	const unsigned group = weights[dice_throw(&t->d, sizeof(weights))];
	const struct form_run *run = &forms->run[group][dice_throw(&t->d, forms->mnemonics[group])];
	const struct form *f = &forms->form[run->first + dice_throw(&t->d, run->count)];

	/* Memory rather than registers: it is there that shadow mode has something to do. */
	if (!f->memory)
		f = &forms->form[run->first + dice_throw(&t->d, run->count)];
	return f;
}

/* Bytes that are no instruction, or that the dice make one. */
static void random_bytes(struct draft *t)
{
	static const uint8_t begin[][3] = {{0x0f},       {0x0f, 0x38}, {0x0f, 0x3a}, {0xc5},       {0xc4},
	                                   {0x62},       {0xf0},       {0x66, 0x0f}, {0xf3, 0x0f}, {0xf2, 0x0f},
	                                   {0x0f, 0x01}, {0x0f, 0xae}, {0x0f, 0xc7}};
	uint8_t *bytes = t->out->bytes;
	unsigned n;

	for (unsigned i = 0; i < INSN_MAX; i++)
		bytes[i] = dice_u64(&t->d);
	if (dice_one_in(&t->d, 3)) {
		form_encode(pick_form(t), &t->d, bytes);
		n = dice_throw(&t->d, 4 * 8);
		bytes[n / 8] ^= 1u << n % 8;
	} else if (!dice_one_in(&t->d, 4)) {
		const uint8_t *b = begin[dice_throw(&t->d, sizeof(begin) / sizeof(*begin))];

		for (unsigned i = 0; i < 3 && b[i]; i++)
			bytes[i] = b[i];
	}
}

/* The bytes, decoded into the draft unless they are none that Zydis knows. */
static void choose_instruction(struct draft *t)
{
	struct generated *out = t->out;

	for (;;) {
		const struct form *f = NULL;

		if (dice_one_in(&t->d, UNDEFINED))
			random_bytes(t);
		else
			form_encode(f = pick_form(t), &t->d, out->bytes);
		out->decodes = decode(t);
		if (out->decodes && !nobody_judges(&t->z) && !addresses_by_its_mask(t)) {
			out->length = t->z.length;
			out->mnemonic = t->z.mnemonic;
			out->shape = f ? f->shape : t->g->forms->shapes;
			return;
		}
		out->length = INSN_MAX;
		if (!out->decodes && (!f || dice_one_in(&t->d, 8)) && safe_if_unknown(out->bytes))
			return;
	}
}

/* Where case `number` lies: in a slot of its own, or at the end of a page, perhaps beyond it. */
static void place(struct draft *t)
{
	struct generated *out = t->out;
	const unsigned slot = out->number % BLOCK_CASES, pair = slot / CASES_A_PAIR, n = slot % CASES_A_PAIR;
	const uint64_t page = CODE_VA + pair * CODE_PAIR;

	out->c.slot = slot;
	if (n == 63 || n == 125)
		out->c.rip = page + (n == 63 ? 1 : 2) * PAGE_BYTES - 1 - dice_throw(&t->d, INSN_MAX);
	else if (n < 63)
		out->c.rip = page + n * SLOT + dice_throw(&t->d, SLOT / 2);
	else
		out->c.rip = page + PAGE_BYTES + (n - 63) * SLOT + dice_throw(&t->d, SLOT / 2);
}

static uint64_t throw_flags(struct draft *t)
{
	struct dice *d = &t->d;
	uint64_t flags = RFLAGS_FIXED | RFLAGS_IF | (dice_u64(d) & STATUS);

	flags |= dice_one_in(d, 8) ? RFLAGS_DF : 0;
	flags |= dice_one_in(d, 6) ? RFLAGS_AC : 0;
	flags |= dice_one_in(d, 16) ? RFLAGS_NT : 0;
	flags |= dice_one_in(d, 8) ? RFLAGS_ID : 0;
	if (t->out->c.how & HOW_ENTER) {
		flags |= dice_one_in(d, 2) ? RFLAGS_TF : 0;
		flags |= dice_one_in(d, 8) ? RFLAGS_RF : 0;
	}
	return flags;
}

static bool is_plain_page(uint64_t at)
{
	const unsigned page = (at - WINDOW_LOW) / PAGE_BYTES;

	return page < TEST_PAGES && page_kinds[page] == PAGE_RW && page != PAGE_TABLE1 && page != PAGE_TABLE2 &&
	       page != PAGE_TABLE3 && page != PAGE_FORMER;
}

/* Memory that the instruction will find: in plain pages alone. */
static void make_patch(struct draft *t, enum wants wants)
{
	struct insn_case *c = &t->out->c;
	const uint64_t at = wants == WANTS_DATA || (t->operand && !t->stack) ? t->operand : t->stack;

	if (!at || !is_plain_page(at) || !is_plain_page(at + PATCH_BYTES) ||
	    (wants == WANTS_DATA && dice_one_in(&t->d, 2)))
		return;
	c->patch_at = at & ~7ull;
	for (unsigned i = 0; i < PATCH_BYTES / 8; i++) {
		c->patch[i] = wants == WANTS_CODE ? code_target(t) : memory_word(&t->d);
		for (unsigned n = 0; wants == WANTS_SELECTORS && n < 4; n++)
			c->patch[i] = c->patch[i] << 16 | throw_selector(&t->d);
	}
	if (wants == WANTS_CODE && at & 7) { /* whole ones where they are read */
		const uint64_t target = code_target(t);

		memcpy((uint8_t *)c->patch + (at & 7), &target, sizeof(target));
	}
}

/* Register values that matter to one instruction or another. */
static void tune_registers(struct draft *t)
{
	struct insn_case *c = &t->out->c;
	const int source = t->z.operand_count_visible > 1 ? gpr_number(t->op[1].reg.value) : -1;

	switch (t->z.mnemonic) {
	case M(CMPXCHG):
	case M(CMPXCHG8B):
	case M(CMPXCHG16B):
		if (t->operand && dice_one_in(&t->d, 2) && !(t->fixed & 5)) {
			c->gpr[0] = read_word(t, t->operand);
			c->gpr[2] = read_word(t, t->operand + (t->z.mnemonic == M(CMPXCHG8B) ? 4 : 8));
		}
		break;
	case M(XSAVE):
	case M(XSAVE64):
	case M(XSAVEC):
	case M(XSAVEC64):
	case M(XSAVES):
	case M(XSAVES64):
	case M(XRSTOR):
	case M(XRSTOR64):
	case M(XRSTORS):
	case M(XRSTORS64):
		c->gpr[0] &= t->fixed & 1 ? ~0ull : XFEATURES;
		c->gpr[2] = t->fixed & 4 ? c->gpr[2] : 0;
		break;
	case M(DIV):
	case M(IDIV):
		if (!(t->fixed & 4) && dice_one_in(&t->d, 2))
			c->gpr[2] = c->gpr[0] >> 63 && t->z.mnemonic == M(IDIV) ? ~0ull : 0;
		break;
	default:
		break;
	}
	if (what_it_wants(t) == WANTS_SELECTORS && source >= 0 && t->op[1].type == ZYDIS_OPERAND_TYPE_REGISTER &&
	    !(t->fixed >> source & 1))
		c->gpr[source] = (c->gpr[source] & ~0xffffull) | throw_selector(&t->d);
}

/* Bytes of what is stored that CPUs do not keep. */
static void choose_ignored(struct draft *t)
{
	struct insn_case *c = &t->out->c;
	unsigned from = 0, len = 0;

	switch (t->z.mnemonic) {
	case M(FNSAVE):
	case M(FNSTENV):
		from = t->z.operand_width == 16 ? 6 : 12;
		len = t->z.operand_width == 16 ? 8 : 16;
		break;
	case M(FXSAVE):
	case M(FXSAVE64):
	case M(XSAVE):
	case M(XSAVE64):
	case M(XSAVEC):
	case M(XSAVEC64):
		from = 6;
		len = 18;
		break;
	default:
		return;
	}
	c->ignore_at = t->operand ? t->operand + from : 0;
	c->ignore_len = t->operand ? len : 0;
}

/* A bit of CR0 or CR4 that a program feels. */
static void flip_bits(struct draft *t)
{
	static const uint32_t cr0[] = {CR0_TS, CR0_EM, CR0_MP | CR0_TS, CR0_AM};
	static const uint32_t cr4[] = {CR4_OSFXSR, CR4_OSXMMEXCPT};

	switch (dice_throw(&t->d, 4)) {
	case 0:
		t->out->c.flip_cr0 = cr0[dice_throw(&t->d, sizeof(cr0) / sizeof(*cr0))];
		break;
	case 1:
		t->out->c.flip_cr4 = cr4[dice_throw(&t->d, sizeof(cr4) / sizeof(*cr4))];
		break;
	default:
		break;
	}
}

static bool changes_segments(const struct draft *t)
{
	switch (t->z.mnemonic) {
	case M(WRFSBASE):
	case M(WRGSBASE):
		return true;
	default:
		break;
	}
	for (unsigned i = 0; i < t->z.operand_count; i++)
		if (t->op[i].type == ZYDIS_OPERAND_TYPE_REGISTER &&
		    t->op[i].actions & ZYDIS_OPERAND_ACTION_MASK_WRITE &&
		    ZydisRegisterGetClass(t->op[i].reg.value) == ZYDIS_REGCLASS_SEGMENT)
			return true;
	return false;
}

static void make_known(struct draft *t)
{
	struct insn_case *c = &t->out->c;
	enum wants wants = what_it_wants(t);

	if (t->z.mnemonic == M(FXRSTOR) || t->z.mnemonic == M(FXRSTOR64))
		t->prefer = WINDOW_LOW + 1 * PAGE_BYTES;
	if (t->z.mnemonic == M(XRSTOR) || t->z.mnemonic == M(XRSTOR64))
		t->prefer = WINDOW_LOW + 4 * PAGE_BYTES;
	steer_memory(t);
	steer_branch(t);
	make_patch(t, wants);
	tune_registers(t);
	choose_ignored(t);
	c->how |= changes_segments(t) ? HOW_SEGMENTS : 0;
	c->flags_mask = ~undefined_flags(&t->z);
	choose_judges(t);
}

void generate(const struct generator *g, uint64_t number, struct generated *ret_case)
{
	struct draft t = {.g = g, .d = dice_init(g->seed, number), .out = ret_case};
	struct insn_case *c = &ret_case->c;

	*ret_case = (struct generated){.number = number};
	choose_instruction(&t);
	place(&t);
	for (unsigned i = 0; i < 16; i++) {
		c->gpr[i] = dice_value(&t.d);
		if (!ret_case->decodes && dice_one_in(&t.d, 2))
			c->gpr[i] = WINDOW_LOW + PAGE_BYTES + dice_throw(&t.d, 7 * PAGE_BYTES);
	}
	/* As programs have it; operands on the stack may still move it elsewhere. */
	c->gpr[4] = (uint64_t)((int64_t)(c->gpr[4] << 16) >> 16);
	c->fpu = dice_throw(&t.d, FPU_SMALL);
	c->how = dice_one_in(&t.d, ENTER) ? HOW_ENTER : 0;
	c->flags_mask = ~0ull;
	if (ret_case->decodes)
		make_known(&t);
	else /* KVM's emulator may take it for anything, also for WRFSBASE */
		c->how |= HOW_SEGMENTS;
	c->rflags = throw_flags(&t);
	if (c->how & HOW_ENTER)
		flip_bits(&t);
}
