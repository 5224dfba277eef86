/* SPDX-License-Identifier: MIT */
/* Moves: general, with extension, conditional, and the string forms. */
#include <errno.h>

#include "cpu/emul.h"
#include "cpu/segment.h"

static bool is_segment(const ZydisDecodedOperand *op)
{
	return op->type == ZYDIS_OPERAND_TYPE_REGISTER && op->reg.value >= ZYDIS_REGISTER_ES &&
	       op->reg.value <= ZYDIS_REGISTER_GS;
}

static bool is_control(const ZydisDecodedOperand *op)
{
	return op->type == ZYDIS_OPERAND_TYPE_REGISTER && op->reg.value >= ZYDIS_REGISTER_CR0 &&
	       op->reg.value <= ZYDIS_REGISTER_CR15;
}

static bool is_debug(const ZydisDecodedOperand *op)
{
	return op->type == ZYDIS_OPERAND_TYPE_REGISTER && op->reg.value >= ZYDIS_REGISTER_DR0 &&
	       op->reg.value <= ZYDIS_REGISTER_DR15;
}

static int mov_to_segment(struct emul *e)
{
	enum segment which = emul_segment(e->insn.op[0].reg.value);
	uint64_t value = 0;
	int err;

	if (which == SEG_CS)
		return env_fault(&e->env, VEC_UD, 0);
	err = emul_read(e, &e->insn.op[1], &value);
	if (err)
		return err;
	if (which == SEG_SS) {
		e->env.cpu->interrupt_shadow = true;
		e->no_trap = true;
	}
	return segment_load(&e->env, which, (uint16_t)value);
}

int emul_mov(struct emul *e)
{
	const ZydisDecodedOperand *dst = &e->insn.op[0], *src = &e->insn.op[1];
	uint64_t value = 0;
	int err = 0;

	if (is_control(dst) || is_control(src))
		return emul_mov_cr(e);
	if (is_debug(dst) || is_debug(src))
		return emul_mov_dr(e);
	if (is_segment(dst))
		return mov_to_segment(e);
	if (is_segment(src))
		value = e->env.cpu->seg[emul_segment(src->reg.value)].selector;
	else
		err = emul_read(e, src, &value);
	return err ? err : emul_write(e, dst, value);
}

/* movsx and movsxd; movzx is emul_mov, as a source is read zero-extended. */
int emul_movsx(struct emul *e)
{
	uint64_t value = 0;
	int err = emul_read(e, &e->insn.op[1], &value);

	return err ? err : emul_write(e, &e->insn.op[0], emul_sign_extend(value, e->insn.op[1].size));
}

/* The condition that the low four bits of the opcode encode, APM3 table 1-10. */
static bool condition(const struct emul *e)
{
	uint64_t f = e->env.cpu->rflags;
	unsigned code = e->insn.z.opcode & 0xf;
	bool less = !(f & RFLAGS_SF) != !(f & RFLAGS_OF);
	const bool base[] = {
		[0] = f & RFLAGS_OF,
		[1] = f & RFLAGS_CF,
		[2] = f & RFLAGS_ZF,
		[3] = f & (RFLAGS_CF | RFLAGS_ZF),
		[4] = f & RFLAGS_SF,
		[5] = f & RFLAGS_PF,
		[6] = less,
		[7] = less || f & RFLAGS_ZF,
	};

	return base[code >> 1] != (code & 1);
}

int emul_setcc(struct emul *e) { return emul_write(e, &e->insn.op[0], condition(e)); }

/* The source is read, and may fault, in any case; a 32-bit destination is zero-extended in any case. */
int emul_cmovcc(struct emul *e)
{
	ZydisRegister dst = e->insn.op[0].reg.value;
	uint64_t value = 0;
	int err = emul_read(e, &e->insn.op[1], &value);

	if (err == 0)
		emul_reg_write(e->env.cpu, dst, condition(e) ? value : emul_reg_read(e->env.cpu, dst));
	return err;
}

static int load_element(struct emul *e, unsigned size, uint64_t *ret_value)
{
	uint64_t linear = 0;
	int err = emul_linear(e, emul_source_segment(e), emul_index(e, GPR_RSI), size, &linear);

	return err ? err : emul_load(e, linear, size, 0, ret_value);
}

static int store_element(struct emul *e, unsigned size, uint64_t value)
{
	uint64_t linear = 0;
	int err = emul_linear(e, ZYDIS_REGISTER_ES, emul_index(e, GPR_RDI), size, &linear);

	return err ? err : emul_store(e, linear, size, value);
}

static int movs_element(struct emul *e, unsigned size)
{
	uint64_t value = 0;
	int err = load_element(e, size, &value);

	if (err == 0)
		err = store_element(e, size, value);
	if (err)
		return err;
	emul_advance(e, GPR_RSI, size);
	emul_advance(e, GPR_RDI, size);
	return 0;
}

static int stos_element(struct emul *e, unsigned size)
{
	int err = store_element(e, size, e->env.cpu->gpr[GPR_RAX]);

	if (err == 0)
		emul_advance(e, GPR_RDI, size);
	return err;
}

static int lods_element(struct emul *e, unsigned size)
{
	uint64_t value = 0;
	int err = load_element(e, size, &value);

	if (err)
		return err;
	emul_reg_write(e->env.cpu, e->insn.op[0].reg.value, value);
	emul_advance(e, GPR_RSI, size);
	return 0;
}

int emul_movs(struct emul *e) { return emul_repeat(e, movs_element, e->insn.op[0].size / 8u); }
int emul_stos(struct emul *e) { return emul_repeat(e, stos_element, e->insn.op[0].size / 8u); }
int emul_lods(struct emul *e) { return emul_repeat(e, lods_element, e->insn.op[1].size / 8u); }
