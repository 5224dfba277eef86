/* SPDX-License-Identifier: MIT */
/* Every form of every unprivileged instruction that is emulated, and a maker of random instances of them. */
#ifndef TRAP_FORMS_H
#define TRAP_FORMS_H

#include "trap_machine.h"

#define STATUS_FLAGS (RFLAGS_CF | RFLAGS_PF | RFLAGS_AF | RFLAGS_ZF | RFLAGS_SF | RFLAGS_OF)
#define BT_UNDEFINED (RFLAGS_PF | RFLAGS_AF | RFLAGS_SF | RFLAGS_OF)
#define TARGET       (CODE_PAGE + 0x80) /* where relative calls and jumps land */

enum shape {
	RM_REG,  /* memory and a register; a register may be in memory's place, here and below */
	RM_ONLY, /* memory; the ModRM register field is `digit` */
	RM_IMM8,
	RM_IMM,  /* of the operand's width, 32 bits at most */
	BIT_REG, /* memory and a bit offset in a register, which may reach beyond the operand */
	STRING,  /* RSI, RDI, RCX */
	MOFFS,   /* AL/AX/EAX/RAX and an absolute address */
	STACK,   /* no memory operand but the stack; digit 4: a relative target, 1: an 8-bit immediate */
	LEAVE,
};

#define W8  1
#define W16 2
#define W32 4
#define W64 8
#define ALL (W8 | W16 | W32 | W64)
#define W_R (W16 | W32 | W64)

struct form {
	const char *name;
	uint8_t escape; /* 0x0f or 0 */
	uint8_t opcode;
	uint8_t digit;
	enum shape shape;
	unsigned widths;
	uint64_t undefined; /* flags */
	bool lock;          /* may be locked */
};

#define ALU(name, n, lock, undef)                                                                                      \
	{name " m,r", 0, n * 8 + 1, 0, RM_REG, ALL, undef, lock},                                                      \
		{name " r,m", 0, n * 8 + 3, 0, RM_REG, ALL, undef, 0},                                                 \
		{name " m,imm", 0, 0x81, n, RM_IMM, ALL, undef, lock}, {                                               \
		name " m,imm8", 0, 0x83, n, RM_IMM8, W_R, undef, lock                                                  \
	}

static const struct form forms[] = {
	ALU("add", 0, true, 0),
	ALU("or", 1, true, RFLAGS_AF),
	ALU("adc", 2, true, 0),
	ALU("sbb", 3, true, 0),
	ALU("and", 4, true, RFLAGS_AF),
	ALU("sub", 5, true, 0),
	ALU("xor", 6, true, RFLAGS_AF),
	ALU("cmp", 7, false, 0),
	{"test m,r", 0, 0x85, 0, RM_REG, ALL, RFLAGS_AF, 0},
	{"test m,imm", 0, 0xf7, 0, RM_IMM, ALL, RFLAGS_AF, 0},
	{"not", 0, 0xf7, 2, RM_ONLY, ALL, 0, true},
	{"neg", 0, 0xf7, 3, RM_ONLY, ALL, 0, true},
	{"inc", 0, 0xff, 0, RM_ONLY, ALL, 0, true},
	{"dec", 0, 0xff, 1, RM_ONLY, ALL, 0, true},
	{"xchg", 0, 0x87, 0, RM_REG, ALL, 0, true},
	{"xadd", 0x0f, 0xc1, 0, RM_REG, ALL, 0, true},
	{"cmpxchg", 0x0f, 0xb1, 0, RM_REG, ALL, 0, true},
	{"cmpxchg8b/16b", 0x0f, 0xc7, 1, RM_ONLY, W32 | W64, 0, true},
	{"mov m,r", 0, 0x89, 0, RM_REG, ALL, 0, 0},
	{"mov r,m", 0, 0x8b, 0, RM_REG, ALL, 0, 0},
	{"mov m,imm", 0, 0xc7, 0, RM_IMM, ALL, 0, 0},
	{"mov a,moffs", 0, 0xa1, 0, MOFFS, ALL, 0, 0},
	{"mov moffs,a", 0, 0xa3, 0, MOFFS, ALL, 0, 0},
	{"movnti", 0x0f, 0xc3, 0, RM_REG, W32 | W64, 0, 0},
	{"movzx b", 0x0f, 0xb6, 0, RM_REG, W_R, 0, 0},
	{"movzx w", 0x0f, 0xb7, 0, RM_REG, W_R, 0, 0},
	{"movsx b", 0x0f, 0xbe, 0, RM_REG, W_R, 0, 0},
	{"movsx w", 0x0f, 0xbf, 0, RM_REG, W_R, 0, 0},
	{"movsxd", 0, 0x63, 0, RM_REG, W32 | W64, 0, 0},
	{"bt m,r", 0x0f, 0xa3, 0, BIT_REG, W_R, BT_UNDEFINED, 0},
	{"bts m,r", 0x0f, 0xab, 0, BIT_REG, W_R, BT_UNDEFINED, true},
	{"btr m,r", 0x0f, 0xb3, 0, BIT_REG, W_R, BT_UNDEFINED, true},
	{"btc m,r", 0x0f, 0xbb, 0, BIT_REG, W_R, BT_UNDEFINED, true},
	{"bt m,imm", 0x0f, 0xba, 4, RM_IMM8, W_R, BT_UNDEFINED, 0},
	{"bts m,imm", 0x0f, 0xba, 5, RM_IMM8, W_R, BT_UNDEFINED, true},
	{"btr m,imm", 0x0f, 0xba, 6, RM_IMM8, W_R, BT_UNDEFINED, true},
	{"btc m,imm", 0x0f, 0xba, 7, RM_IMM8, W_R, BT_UNDEFINED, true},
	{"seto", 0x0f, 0x90, 0, RM_ONLY, W32, 0, 0},
	{"setno", 0x0f, 0x91, 0, RM_ONLY, W32, 0, 0},
	{"setb", 0x0f, 0x92, 0, RM_ONLY, W32, 0, 0},
	{"setnb", 0x0f, 0x93, 0, RM_ONLY, W32, 0, 0},
	{"setz", 0x0f, 0x94, 0, RM_ONLY, W32, 0, 0},
	{"setnz", 0x0f, 0x95, 0, RM_ONLY, W32, 0, 0},
	{"setbe", 0x0f, 0x96, 0, RM_ONLY, W32, 0, 0},
	{"setnbe", 0x0f, 0x97, 0, RM_ONLY, W32, 0, 0},
	{"sets", 0x0f, 0x98, 0, RM_ONLY, W32, 0, 0},
	{"setns", 0x0f, 0x99, 0, RM_ONLY, W32, 0, 0},
	{"setp", 0x0f, 0x9a, 0, RM_ONLY, W32, 0, 0},
	{"setnp", 0x0f, 0x9b, 0, RM_ONLY, W32, 0, 0},
	{"setl", 0x0f, 0x9c, 0, RM_ONLY, W32, 0, 0},
	{"setnl", 0x0f, 0x9d, 0, RM_ONLY, W32, 0, 0},
	{"setle", 0x0f, 0x9e, 0, RM_ONLY, W32, 0, 0},
	{"setnle", 0x0f, 0x9f, 0, RM_ONLY, W32, 0, 0},
	{"cmovo", 0x0f, 0x40, 0, RM_REG, W_R, 0, 0},
	{"cmovnb", 0x0f, 0x43, 0, RM_REG, W_R, 0, 0},
	{"cmovz", 0x0f, 0x44, 0, RM_REG, W_R, 0, 0},
	{"cmovnbe", 0x0f, 0x47, 0, RM_REG, W_R, 0, 0},
	{"cmovs", 0x0f, 0x48, 0, RM_REG, W_R, 0, 0},
	{"cmovp", 0x0f, 0x4a, 0, RM_REG, W_R, 0, 0},
	{"cmovl", 0x0f, 0x4c, 0, RM_REG, W_R, 0, 0},
	{"cmovle", 0x0f, 0x4e, 0, RM_REG, W_R, 0, 0},
	{"movs", 0, 0xa5, 0, STRING, ALL, 0, 0},
	{"stos", 0, 0xab, 0, STRING, ALL, 0, 0},
	{"lods", 0, 0xad, 0, STRING, ALL, 0, 0},
	{"push m", 0, 0xff, 6, RM_ONLY, W16 | W32, 0, 0},
	{"pop m", 0, 0x8f, 0, RM_ONLY, W16 | W32, 0, 0},
	{"push imm8", 0, 0x6a, 1, STACK, W16 | W32, 0, 0},
	{"push r", 0, 0x53, 0, STACK, W16 | W32, 0, 0},
	{"push rsp", 0, 0x54, 0, STACK, W16 | W32, 0, 0},
	{"pop r", 0, 0x5e, 0, STACK, W16 | W32, 0, 0},
	{"pop rsp", 0, 0x5c, 0, STACK, W32, 0, 0},
	{"pushf", 0, 0x9c, 0, STACK, W16 | W32, 0, 0},
	{"popf", 0, 0x9d, 0, STACK, W16 | W32, 0, 0},
	{"call rel", 0, 0xe8, 4, STACK, W32, 0, 0},
	{"jmp rel", 0, 0xe9, 4, STACK, W32, 0, 0},
	{"leave", 0, 0xc9, 0, LEAVE, W16 | W32, 0, 0},
};

#define FORMS (sizeof(forms) / sizeof(*forms))

static uint64_t seed = 0x243f6a8885a308d3;

static uint64_t rnd(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed * 0x2545f4914f6cdd1d;
}

/* Random, with the edges of every width more often than chance would have them. */
static uint64_t rnd_value(void)
{
	static const uint64_t edges[] = {0, 1, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0xffff, 0x7fffffff, 0x80000000,
					 0xffffffff, INT64_MAX, (uint64_t)INT64_MIN, UINT64_MAX};

	return rnd() % 3 ? rnd() : edges[rnd() % (sizeof(edges) / sizeof(*edges))];
}

/* One instance: the bytes and the registers to start from. Memory is the arena's. */
struct insn_case {
	const struct form *form;
	unsigned width; /* bytes */
	bool lock;
	bool address32;
	unsigned reg, base, index; /* index: 0 is none */
	uint8_t bytes[32];
	unsigned length;
	uint64_t gpr[GPR_COUNT];
	uint64_t rflags;
};

static void emit(struct insn_case *c, unsigned byte) { c->bytes[c->length++] = (uint8_t)byte; }

static void emit_value(struct insn_case *c, uint64_t value, unsigned size)
{
	memcpy(c->bytes + c->length, &value, size);
	c->length += size;
}

static void emit_opcode(struct insn_case *c, bool has_modrm)
{
	const struct form *f = c->form;
	unsigned rex = c->width == W64 ? 0x48 : 0;

	if (has_modrm)
		rex |= (c->reg > 7 ? 0x44 : 0) | (c->base > 7 ? 0x41 : 0) | (c->index > 7 ? 0x42 : 0);
	if (c->width == W16)
		emit(c, 0x66);
	if (c->address32)
		emit(c, 0x67);
	if (c->lock)
		emit(c, 0xf0);
	if (f->shape == STRING && rnd() % 2)
		emit(c, 0xf3);
	if (rex)
		emit(c, rex);
	if (f->escape)
		emit(c, f->escape);
	emit(c, c->width == W8 ? f->opcode & 0xfe : f->opcode);
}

/* ModRM, SIB and displacement that lead to `target`; sets the registers they use. `imm` bytes will follow. */
static void emit_memory(struct insn_case *c, uint64_t target, unsigned imm)
{
	unsigned field = (c->reg & 7) << 3, scale = rnd() % 4, mode = rnd() % 4;
	uint64_t high = c->address32 ? rnd() << 32 : 0; /* ignored by 32-bit addressing */

	if (c->index != 0) {
		emit(c, 0x80 | field | 4);
		emit(c, scale << 6 | (c->index & 7) << 3 | (c->base & 7));
		emit_value(c, 0x1234, 4);
		c->gpr[c->index] = rnd() % 16;
		c->gpr[c->base] = (target - 0x1234 - (c->gpr[c->index] << scale)) | high;
	} else if (mode == 0) { /* RIP-relative: counts from the end of the instruction */
		emit(c, field | 5);
		emit_value(c, target - (CODE_PAGE + c->length + 4 + imm), 4);
	} else if (mode == 1) { /* absolute */
		emit(c, field | 4);
		emit(c, 0x25);
		emit_value(c, target, 4);
	} else { /* base and 8-bit displacement */
		emit(c, 0x40 | field | (c->base & 7));
		emit_value(c, (uint64_t)-16, 1);
		c->gpr[c->base] = (target + 16) | high;
	}
}

/* A register in memory's place. */
static void emit_register(struct insn_case *c)
{
	emit(c, 0xc0 | (c->reg & 7) << 3 | (c->base & 7));
}

static void choose_registers(struct insn_case *c)
{
	static const unsigned any[] = {0, 1, 2, 3, 5, 6, 7, 8, 10, 13, 15}; /* not RSP, nor what SIB makes special */
	bool two = c->form->shape == RM_REG || c->form->shape == BIT_REG;
	bool implicit = c->form->escape && (c->form->opcode == 0xb1 || c->form->opcode == 0xc7);

	c->reg = two ? any[rnd() % 11] : c->form->digit;
	do
		c->base = any[rnd() % 11];
	while ((c->form->shape == BIT_REG && c->base == c->reg) || (implicit && c->base <= GPR_RBX));
	c->index = rnd() % 2 ? GPR_R9 : 0;
}

static uint64_t width_mask(unsigned width) { return width == W64 ? UINT64_MAX : (1ull << width * 8) - 1; }

static void build_modrm(struct insn_case *c)
{
	const struct form *f = c->form;
	unsigned imm = f->shape == RM_IMM8 ? 1 : f->shape != RM_IMM ? 0 : c->width > 4 ? 4 : c->width;
	bool pair = f->escape && f->opcode == 0xc7, movnti = f->escape && f->opcode == 0xc3;
	bool in_register = !c->lock && !pair && !movnti && rnd() % 4 == 0;
	/* Crossing into the next page is legal, but for the pair exchange, which wants alignment. */
	uint64_t target = rnd() % 8 ? DATA_PAGE + 0x800 + rnd() % 64 : DATA_PAGE + PAGE_SIZE - 3;

	if (pair)
		target &= ~15ull;
	choose_registers(c);
	if (in_register)
		c->index = 0;
	if (f->shape == BIT_REG)
		c->gpr[c->reg] = (c->gpr[c->reg] & ~width_mask(c->width)) |
				 ((rnd() % 4096 - 2048) & width_mask(c->width));
	emit_opcode(c, true);
	if (in_register)
		emit_register(c);
	else
		emit_memory(c, target, imm);
	emit_value(c, rnd_value(), imm);
	if (f->escape && f->opcode == 0xb1 && rnd() % 2)
		c->gpr[GPR_RAX] = in_register ? c->gpr[c->base] : *machine_u64(target);
	if (pair && rnd() % 2) {
		memcpy(&c->gpr[GPR_RAX], machine_u64(target), c->width);
		memcpy(&c->gpr[GPR_RDX], (uint8_t *)machine_u64(target) + c->width, c->width);
	}
}

static void build_other(struct insn_case *c)
{
	const struct form *f = c->form;

	emit_opcode(c, false);
	if (f->shape == STRING) {
		c->gpr[GPR_RCX] = rnd() % 20 + c->address32;
		c->gpr[GPR_RSI] = DATA_PAGE + 0x800 + rnd() % 200;
		c->gpr[GPR_RDI] = DATA_PAGE + 0x800 + rnd() % 200;
	} else if (f->shape == MOFFS) {
		emit_value(c, DATA_PAGE + 0x800 + rnd() % 64, c->address32 ? 4 : 8);
	} else if (f->shape == LEAVE) {
		c->gpr[GPR_RBP] = STACK_PAGE + 0x700 + rnd() % 64;
	} else if (f->digit == 4) {
		emit_value(c, TARGET - (CODE_PAGE + c->length + 4), 4);
	} else if (f->digit == 1) {
		emit_value(c, rnd(), 1);
	}
}

/* A random instance of `form` in one of its widths. */
static struct insn_case insn_case_make(const struct form *form)
{
	struct insn_case c = {.form = form};

	do
		c.width = 1u << rnd() % 4;
	while (!(form->widths & c.width));
	c.lock = form->lock && rnd() % 2;
	c.address32 = form->shape != STACK && form->shape != LEAVE && rnd() % 8 == 0;
	for (unsigned i = 0; i < GPR_COUNT; i++)
		c.gpr[i] = rnd_value();
	c.gpr[GPR_RSP] = STACK_PAGE + 0x800 + rnd() % 64;
	c.rflags = RFLAGS_FIXED | RFLAGS_IF | (rnd() & STATUS_FLAGS) | (rnd() % 2 ? RFLAGS_DF : 0);
	/* What popf finds: nothing that would stop the real CPU. */
	if (form->shape == STACK)
		*machine_u64(c.gpr[GPR_RSP]) &= STATUS_FLAGS | RFLAGS_DF;
	if (form->shape < STRING)
		build_modrm(&c);
	else
		build_other(&c);
	return c;
}

#endif
