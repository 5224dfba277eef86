/* SPDX-License-Identifier: MIT */
/* Registers, effective addresses and memory operands of the instruction in flight, and its refusal. */
#include <errno.h>

#include "cpu/emul.h"

int emul_unsupported(struct emul *e, const char *why)
{
	e->why = why;
	return -EOPNOTSUPP;
}

uint64_t emul_mask(unsigned bits)
{
	return bits >= 64 ? UINT64_MAX : (UINT64_C(1) << bits) - 1;
}

uint64_t emul_sign_extend(uint64_t value, unsigned bits)
{
	return (uint64_t)((int64_t)(value << (64 - bits)) >> (64 - bits));
}

struct reg_part {
	unsigned index; /* in gpr[] */
	unsigned shift;
	unsigned bits;
};

/* Zydis numbers AL..BL, AH..BH, SPL..DIL, R8B..R15B, then each wider class in encoding order. */
static struct reg_part locate(ZydisRegister reg)
{
	if (reg >= ZYDIS_REGISTER_AL && reg <= ZYDIS_REGISTER_BL)
		return (struct reg_part){(unsigned)(reg - ZYDIS_REGISTER_AL), 0, 8};
	if (reg >= ZYDIS_REGISTER_AH && reg <= ZYDIS_REGISTER_BH)
		return (struct reg_part){(unsigned)(reg - ZYDIS_REGISTER_AH), 8, 8};
	if (reg >= ZYDIS_REGISTER_SPL && reg <= ZYDIS_REGISTER_R15B)
		return (struct reg_part){(unsigned)(reg - ZYDIS_REGISTER_SPL) + GPR_RSP, 0, 8};
	if (reg >= ZYDIS_REGISTER_AX && reg <= ZYDIS_REGISTER_R15W)
		return (struct reg_part){(unsigned)(reg - ZYDIS_REGISTER_AX), 0, 16};
	if (reg >= ZYDIS_REGISTER_EAX && reg <= ZYDIS_REGISTER_R15D)
		return (struct reg_part){(unsigned)(reg - ZYDIS_REGISTER_EAX), 0, 32};
	BUG_ON(reg < ZYDIS_REGISTER_RAX || reg > ZYDIS_REGISTER_R15);
	return (struct reg_part){(unsigned)(reg - ZYDIS_REGISTER_RAX), 0, 64};
}

uint64_t emul_reg_read(const struct cpu_state *cpu, ZydisRegister reg)
{
	struct reg_part part = locate(reg);

	return cpu->gpr[part.index] >> part.shift & emul_mask(part.bits);
}

void emul_reg_write(struct cpu_state *cpu, ZydisRegister reg, uint64_t value)
{
	struct reg_part part = locate(reg);
	uint64_t mask = emul_mask(part.bits) << part.shift;

	if (part.bits >= 32)
		cpu->gpr[part.index] = value & mask;
	else
		cpu->gpr[part.index] = (cpu->gpr[part.index] & ~mask) | (value << part.shift & mask);
}

enum segment emul_segment(ZydisRegister reg)
{
	BUG_ON(reg < ZYDIS_REGISTER_ES || reg > ZYDIS_REGISTER_GS);
	return (enum segment)(reg - ZYDIS_REGISTER_ES);
}

uint64_t emul_address(const struct emul *e, const ZydisDecodedOperand *op, int64_t displace)
{
	const struct cpu_state *cpu = e->env.cpu;
	uint64_t address = (uint64_t)displace;

	if (op->mem.disp.has_displacement)
		address += (uint64_t)op->mem.disp.value;
	if (op->mem.base == ZYDIS_REGISTER_RIP || op->mem.base == ZYDIS_REGISTER_EIP)
		address += cpu->rip;
	else if (op->mem.base != ZYDIS_REGISTER_NONE)
		address += emul_reg_read(cpu, op->mem.base);
	if (op->mem.index != ZYDIS_REGISTER_NONE)
		address += emul_reg_read(cpu, op->mem.index) * op->mem.scale;
	return address & emul_mask(e->insn.z.address_width);
}

uint64_t emul_based(const struct emul *e, ZydisRegister segment, uint64_t address)
{
	if (segment == ZYDIS_REGISTER_FS || segment == ZYDIS_REGISTER_GS)
		return address + e->env.cpu->seg[emul_segment(segment)].base;
	return address;
}

int emul_linear(struct emul *e, ZydisRegister segment, uint64_t address, unsigned size, uint64_t *ret_linear)
{
	const struct cpu_state *cpu = e->env.cpu;
	const uint64_t linear = emul_based(e, segment, address);

	if (!env_canonical(&e->env, linear) || !env_canonical(&e->env, linear + size - 1))
		return env_fault(&e->env, segment == ZYDIS_REGISTER_SS ? VEC_SS : VEC_GP, 0);
	if (cpu->cpl == 3 && cpu->cr0 & CR0_AM && cpu->rflags & RFLAGS_AC && (size & (size - 1)) == 0 &&
	    (linear & (size - 1)) != 0)
		return env_fault(&e->env, VEC_AC, 0);
	*ret_linear = linear;
	return 0;
}

ZydisRegister emul_operand_segment(const ZydisDecodedOperand *op)
{
	switch (op->mem.segment) {
	case ZYDIS_REGISTER_FS:
	case ZYDIS_REGISTER_GS:
		return op->mem.segment;
	default:
		break;
	}
	switch (op->mem.base) {
	case ZYDIS_REGISTER_RSP:
	case ZYDIS_REGISTER_RBP:
	case ZYDIS_REGISTER_ESP:
	case ZYDIS_REGISTER_EBP:
		return ZYDIS_REGISTER_SS;
	default:
		return ZYDIS_REGISTER_DS;
	}
}

int emul_operand_linear(struct emul *e, const ZydisDecodedOperand *op, int64_t displace, uint64_t *ret_linear)
{
	return emul_linear(e, emul_operand_segment(op), emul_address(e, op, displace), op->size / 8u, ret_linear);
}

int emul_load(struct emul *e, uint64_t linear, unsigned size, unsigned access, uint64_t *ret_value)
{
	uint64_t value = 0;
	int err = env_read(&e->env, linear, &value, size, access | env_rights(&e->env));

	if (err == 0)
		*ret_value = value; /* little-endian: a short read fills the low bytes */
	return err;
}

int emul_store(struct emul *e, uint64_t linear, unsigned size, uint64_t value)
{
	return env_write(&e->env, linear, &value, size, env_rights(&e->env));
}

int emul_cmpxchg(struct emul *e, uint64_t linear, unsigned size, const void *expected, const void *desired, void *old)
{
	return env_cmpxchg(&e->env, linear, expected, desired, old, size, env_rights(&e->env));
}

int emul_read(struct emul *e, const ZydisDecodedOperand *op, uint64_t *ret_value)
{
	uint64_t linear = 0;
	int err;

	switch (op->type) {
	case ZYDIS_OPERAND_TYPE_REGISTER:
		*ret_value = emul_reg_read(e->env.cpu, op->reg.value);
		return 0;
	case ZYDIS_OPERAND_TYPE_IMMEDIATE:
		*ret_value = op->imm.value.u;
		return 0;
	default:
		err = emul_operand_linear(e, op, 0, &linear);
		return err ? err : emul_load(e, linear, op->size / 8u, 0, ret_value);
	}
}

int emul_write(struct emul *e, const ZydisDecodedOperand *op, uint64_t value)
{
	uint64_t linear = 0;
	int err;

	if (op->type == ZYDIS_OPERAND_TYPE_REGISTER) {
		emul_reg_write(e->env.cpu, op->reg.value, value);
		return 0;
	}
	err = emul_operand_linear(e, op, 0, &linear);
	return err ? err : emul_store(e, linear, op->size / 8u, value);
}
