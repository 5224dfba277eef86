/* SPDX-License-Identifier: MIT */
/* Port input and output, single and string. */
#include "cpu/emul.h"

#define TSS_IO_MAP_BASE 0x66 /* offset of the bitmap's offset, APM2 12.2.5 */

/* #GP(0) unless IOPL or each of the ports' bits in the TSS' bitmap allows, APM2 12.2.4. */
static int check_ports(struct emul *e, uint16_t port, unsigned size)
{
	const struct cpu_state *cpu = e->env.cpu;
	const struct cpu_segment *tr = &cpu->seg[SEG_TR];
	uint16_t base = 0, bits = 0;
	int err;

	if (cpu->cpl <= (cpu->rflags & RFLAGS_IOPL) >> RFLAGS_IOPL_SHIFT)
		return 0;
	if (!(tr->attributes & SEG_P) || tr->limit < TSS_IO_MAP_BASE + sizeof(base) - 1)
		return env_fault(&e->env, VEC_GP, 0);
	err = env_read(&e->env, tr->base + TSS_IO_MAP_BASE, &base, sizeof(base), ACCESS_IMPLICIT);
	if (err)
		return err;
	/* Two bytes are read always, so that the bitmap ends with a byte of ones. */
	if (base + port / 8u + sizeof(bits) - 1 > tr->limit)
		return env_fault(&e->env, VEC_GP, 0);
	err = env_read(&e->env, tr->base + base + port / 8, &bits, sizeof(bits), ACCESS_IMPLICIT);
	if (err)
		return err;
	if (bits >> port % 8 & emul_mask(size))
		return env_fault(&e->env, VEC_GP, 0);
	return 0;
}

/* The port of in and out: an immediate or DX. */
static uint16_t port_operand(const struct emul *e, const ZydisDecodedOperand *op)
{
	if (op->type == ZYDIS_OPERAND_TYPE_IMMEDIATE)
		return (uint8_t)op->imm.value.u;
	return (uint16_t)e->env.cpu->gpr[GPR_RDX];
}

int emul_in(struct emul *e)
{
	uint16_t port = port_operand(e, &e->insn.op[1]);
	unsigned size = e->insn.op[0].size / 8u;
	uint32_t value = 0;
	int err = check_ports(e, port, size);

	if (err == 0)
		err = e->env.ops->port_in(e->env.ctx, port, size, &value);
	if (err == 0)
		emul_reg_write(e->env.cpu, e->insn.op[0].reg.value, value);
	return err;
}

int emul_out(struct emul *e)
{
	uint16_t port = port_operand(e, &e->insn.op[0]);
	unsigned size = e->insn.op[1].size / 8u;
	uint32_t value = (uint32_t)emul_reg_read(e->env.cpu, e->insn.op[1].reg.value);
	int err = check_ports(e, port, size);

	return err ? err : e->env.ops->port_out(e->env.ctx, port, size, value);
}

static int ins_element(struct emul *e, unsigned size)
{
	uint16_t port = (uint16_t)e->env.cpu->gpr[GPR_RDX];
	uint64_t linear = 0, before;
	uint32_t value = 0;
	int err = emul_linear(e, ZYDIS_REGISTER_ES, emul_index(e, GPR_RDI), size, &linear);

	/* The port is read only when the store is known to be legal: its value could not be put back. */
	if (err == 0)
		err = emul_load(e, linear, size, ACCESS_WRITE, &before);
	if (err == 0)
		err = e->env.ops->port_in(e->env.ctx, port, size, &value);
	if (err == 0)
		err = emul_store(e, linear, size, value);
	if (err == 0)
		emul_advance(e, GPR_RDI, size);
	return err;
}

static int outs_element(struct emul *e, unsigned size)
{
	uint16_t port = (uint16_t)e->env.cpu->gpr[GPR_RDX];
	uint64_t linear = 0, value = 0;
	int err = emul_linear(e, emul_source_segment(e), emul_index(e, GPR_RSI), size, &linear);

	if (err == 0)
		err = emul_load(e, linear, size, 0, &value);
	if (err == 0)
		err = e->env.ops->port_out(e->env.ctx, port, size, (uint32_t)value);
	if (err == 0)
		emul_advance(e, GPR_RSI, size);
	return err;
}

/* The right to the port is checked whatever RCX is. */
static int repeat(struct emul *e, emul_element_fn *element, unsigned size)
{
	int err = check_ports(e, (uint16_t)e->env.cpu->gpr[GPR_RDX], size);

	return err ? err : emul_repeat(e, element, size);
}

int emul_ins(struct emul *e) { return repeat(e, ins_element, e->insn.op[0].size / 8u); }
int emul_outs(struct emul *e) { return repeat(e, outs_element, e->insn.op[1].size / 8u); }
