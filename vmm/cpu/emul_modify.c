/* SPDX-License-Identifier: MIT */
/* Instructions that read, change and write back one operand, locked or not, and those that only compare. */
#include <errno.h>
#include <string.h>

#include "cpu/emul.h"

/*
 * Applies `fn` to memory. Locked: an atomic exchange, repeated until no other CPU came between. Else one read,
 * with a write's rights, and one write. alu->dst is then what memory held.
 */
static int modify_memory(struct emul *e, uint64_t linear, alu_fn *fn, struct alu *alu, bool locked)
{
	const struct alu start = *alu;
	unsigned size = alu->bits / 8;
	uint64_t seen, old = 0;
	int err = emul_load(e, linear, size, ACCESS_WRITE, &old);

	for (;;) {
		if (err)
			return err;
		*alu = start;
		alu->dst = seen = old;
		fn(alu);
		if (!locked) {
			err = emul_store(e, linear, size, alu->result);
			break;
		}
		err = emul_cmpxchg(e, linear, size, &seen, &alu->result, &old);
		if (err == 0 && old == seen)
			break;
	}
	alu->dst = seen;
	return err;
}

static bool is_locked(const struct emul *e) { return e->insn.z.attributes & ZYDIS_ATTRIB_HAS_LOCK; }

/* As modify_memory for any destination; takes the flags over. */
static int modify(struct emul *e, alu_fn *fn, struct alu *alu)
{
	const ZydisDecodedOperand *dst = &e->insn.op[0];
	uint64_t linear = 0, old;
	int err;

	alu->bits = dst->size;
	alu->rflags = e->env.cpu->rflags;
	if (dst->type == ZYDIS_OPERAND_TYPE_REGISTER) {
		alu->dst = old = emul_reg_read(e->env.cpu, dst->reg.value);
		fn(alu);
		alu->dst = old;
		emul_reg_write(e->env.cpu, dst->reg.value, alu->result);
	} else {
		err = emul_operand_linear(e, dst, 0, &linear);
		if (err == 0)
			err = modify_memory(e, linear, fn, alu, is_locked(e));
		if (err)
			return err;
	}
	e->env.cpu->rflags = alu->rflags;
	return 0;
}

static int read_source(struct emul *e, struct alu *alu)
{
	return e->insn.z.operand_count_visible > 1 ? emul_read(e, &e->insn.op[1], &alu->src) : 0;
}

int emul_modify(struct emul *e)
{
	struct alu alu = {0};
	int err = read_source(e, &alu);

	return err ? err : modify(e, e->handler->alu, &alu);
}

/* cmp and test: the flags only. */
int emul_compare(struct emul *e)
{
	struct alu alu = {.bits = e->insn.op[0].size, .rflags = e->env.cpu->rflags};
	int err = read_source(e, &alu);

	if (err == 0)
		err = emul_read(e, &e->insn.op[0], &alu.dst);
	if (err)
		return err;
	e->handler->alu(&alu);
	e->env.cpu->rflags = alu.rflags;
	return 0;
}

/* A bit offset in a register counts from the memory operand's start, signed, across all of memory, APM3 BT. */
static int bit_linear(struct emul *e, const struct alu *alu, uint64_t *ret_linear)
{
	const ZydisDecodedOperand *dst = &e->insn.op[0], *src = &e->insn.op[1];
	int64_t displace = 0;

	if (src->type == ZYDIS_OPERAND_TYPE_REGISTER)
		displace = ((int64_t)emul_sign_extend(alu->src, src->size) >> __builtin_ctz(dst->size)) *
			   (dst->size / 8);
	return emul_operand_linear(e, dst, displace, ret_linear);
}

int emul_bit(struct emul *e)
{
	struct alu alu = {.bits = e->insn.op[0].size, .rflags = e->env.cpu->rflags};
	uint64_t linear = 0;
	int err = read_source(e, &alu);

	if (err)
		return err;
	if (e->insn.op[0].type == ZYDIS_OPERAND_TYPE_REGISTER)
		return modify(e, e->handler->alu, &alu);
	err = bit_linear(e, &alu, &linear);
	if (err == 0)
		err = modify_memory(e, linear, e->handler->alu, &alu, is_locked(e));
	if (err)
		return err;
	e->env.cpu->rflags = alu.rflags;
	return 0;
}

int emul_bit_test(struct emul *e)
{
	struct alu alu = {.bits = e->insn.op[0].size, .rflags = e->env.cpu->rflags};
	uint64_t linear = 0;
	int err = read_source(e, &alu);

	if (err)
		return err;
	if (e->insn.op[0].type == ZYDIS_OPERAND_TYPE_REGISTER) {
		err = emul_read(e, &e->insn.op[0], &alu.dst);
	} else {
		err = bit_linear(e, &alu, &linear);
		if (err == 0)
			err = emul_load(e, linear, alu.bits / 8, 0, &alu.dst);
	}
	if (err)
		return err;
	alu_bt(&alu);
	e->env.cpu->rflags = alu.rflags;
	return 0;
}

static void take_source(struct alu *alu) { alu->result = alu->src; }

/* xchg with memory is atomic without a lock prefix too. Zydis may name either operand first. */
int emul_xchg(struct emul *e)
{
	bool memory_first = e->insn.op[0].type == ZYDIS_OPERAND_TYPE_MEMORY;
	const ZydisDecodedOperand *rm = &e->insn.op[memory_first ? 0 : 1], *reg = &e->insn.op[memory_first ? 1 : 0];
	struct alu alu = {.bits = rm->size};
	uint64_t linear = 0, other;
	int err;

	alu.src = emul_reg_read(e->env.cpu, reg->reg.value);
	if (rm->type == ZYDIS_OPERAND_TYPE_REGISTER) {
		other = emul_reg_read(e->env.cpu, rm->reg.value);
		emul_reg_write(e->env.cpu, rm->reg.value, alu.src);
		emul_reg_write(e->env.cpu, reg->reg.value, other);
		return 0;
	}
	err = emul_operand_linear(e, rm, 0, &linear);
	if (err == 0)
		err = modify_memory(e, linear, take_source, &alu, true);
	if (err == 0)
		emul_reg_write(e->env.cpu, reg->reg.value, alu.dst);
	return err;
}

int emul_xadd(struct emul *e)
{
	struct alu alu = {0};
	int err = read_source(e, &alu);

	if (err == 0)
		err = modify(e, alu_add, &alu);
	if (err)
		return err;
	/* With the same register twice the sum stays, as the destination is written last. */
	if (e->insn.op[0].type != ZYDIS_OPERAND_TYPE_REGISTER || e->insn.op[0].reg.value != e->insn.op[1].reg.value)
		emul_reg_write(e->env.cpu, e->insn.op[1].reg.value, alu.dst);
	return 0;
}

static const ZydisRegister accumulators[] = {
	[0] = ZYDIS_REGISTER_AL, [1] = ZYDIS_REGISTER_AX, [2] = ZYDIS_REGISTER_EAX, [3] = ZYDIS_REGISTER_RAX};

/* One compare-and-swap, locked or not: stronger than an unlocked one needs, and one callback. */
int emul_cmpxchg_insn(struct emul *e)
{
	const ZydisDecodedOperand *dst = &e->insn.op[0];
	ZydisRegister acc = accumulators[__builtin_ctz(dst->size / 8u)];
	uint64_t desired = emul_reg_read(e->env.cpu, e->insn.op[1].reg.value);
	struct alu alu = {.dst = emul_reg_read(e->env.cpu, acc), .bits = dst->size, .rflags = e->env.cpu->rflags};
	uint64_t linear = 0;
	int err;

	if (dst->type == ZYDIS_OPERAND_TYPE_REGISTER) {
		/* Unlike memory it is not touched where they differ: not even its upper half by 32 bits. */
		alu.src = emul_reg_read(e->env.cpu, dst->reg.value);
		if (alu.src == alu.dst)
			emul_reg_write(e->env.cpu, dst->reg.value, desired);
	} else {
		err = emul_operand_linear(e, dst, 0, &linear);
		if (err == 0)
			err = emul_cmpxchg(e, linear, dst->size / 8u, &alu.dst, &desired, &alu.src);
		if (err)
			return err;
	}
	alu_sub(&alu);
	if (alu.result != 0)
		emul_reg_write(e->env.cpu, acc, alu.src);
	e->env.cpu->rflags = alu.rflags;
	return 0;
}

/* cmpxchg8b and cmpxchg16b: EDX:EAX or RDX:RAX against memory, ECX:EBX or RCX:RBX into it. */
int emul_cmpxchg_pair(struct emul *e)
{
	struct cpu_state *cpu = e->env.cpu;
	unsigned size = e->insn.op[0].size / 8u, half = size / 2;
	uint8_t expected[16], desired[16], old[16];
	uint64_t linear = 0, low = 0, high = 0;
	int err;

	linear = emul_based(e, e->insn.op[0].mem.segment, emul_address(e, &e->insn.op[0], 0));
	/* 16 bytes that are not aligned are #GP, before anything else. */
	if (size == sizeof(old) && linear % sizeof(old) != 0)
		return env_fault(&e->env, VEC_GP, 0);
	err = emul_operand_linear(e, &e->insn.op[0], 0, &linear);
	if (err)
		return err;
	memcpy(expected, &cpu->gpr[GPR_RAX], half);
	memcpy(expected + half, &cpu->gpr[GPR_RDX], half);
	memcpy(desired, &cpu->gpr[GPR_RBX], half);
	memcpy(desired + half, &cpu->gpr[GPR_RCX], half);
	err = emul_cmpxchg(e, linear, size, expected, desired, old);
	if (err)
		return err;
	if (memcmp(old, expected, size) == 0) {
		cpu->rflags |= RFLAGS_ZF;
		return 0;
	}
	memcpy(&low, old, half);
	memcpy(&high, old + half, half);
	cpu->rflags &= ~(uint64_t)RFLAGS_ZF;
	cpu->gpr[GPR_RAX] = low;
	cpu->gpr[GPR_RDX] = high;
	return 0;
}
