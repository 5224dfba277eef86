/* SPDX-License-Identifier: MIT */
/* Control and debug registers, APM2 3.1 and 13.1. */
#include <errno.h>

#include "cpu/emul.h"

#define CR0_BITS                                                                                                       \
	((uint64_t)(CR0_PE | CR0_MP | CR0_EM | CR0_TS | CR0_ET | CR0_NE | CR0_WP | CR0_AM | CR0_NW | CR0_CD) | CR0_PG)
#define CR0_LMSW    (CR0_PE | CR0_MP | CR0_EM | CR0_TS)
#define CR3_PCID    0xfff
#define CR3_NOFLUSH (UINT64_C(1) << 63)
#define CR8_BITS    0xf

/* Bits that read as 0. */
#define DR6_ZERO (1 << 12)
#define DR7_ZERO (3 << 14 | 1 << 12)

#define XCR0_X87 (1 << 0)
#define XCR0_SSE (1 << 1)
#define XCR0_AVX (1 << 2)

static int gp(struct emul *e)
{
	return env_fault(&e->env, VEC_GP, 0);
}

/* Legal values, APM3 MOV CRn: paging cannot be left from 64-bit code, and reserved low bits are ignored. */
static int write_cr0(struct emul *e, uint64_t value)
{
	if (value >> 32 || (value & CR0_NW && !(value & CR0_CD)))
		return gp(e);
	if (!(value & CR0_PE) || !(value & CR0_PG))
		return gp(e);
	e->env.cpu->cr0 = (value & CR0_BITS) | CR0_ET;
	return 0;
}

static int write_cr3(struct emul *e, uint64_t value)
{
	struct cpu_state *cpu = e->env.cpu;

	/* The hint to keep translations is legal with PCIDs; it is not taken, which is legal too. */
	if (cpu->cr4 & CR4_PCIDE)
		value &= ~CR3_NOFLUSH;
	if (value & ~emul_mask((unsigned)e->env.ops->limits.phys_bits))
		return gp(e);
	cpu->cr3 = value;
	e->notices |= NOTICE_CR3;
	return 0;
}

static int write_cr4(struct emul *e, uint64_t value)
{
	struct cpu_state *cpu = e->env.cpu;
	uint64_t changed = cpu->cr4 ^ value;

	if (value & ~e->env.ops->limits.cr4_bits || !(value & CR4_PAE) || changed & CR4_LA57)
		return gp(e);
	if (changed & value & CR4_PCIDE && cpu->cr3 & CR3_PCID)
		return gp(e);
	cpu->cr4 = value;
	return 0;
}

static int write_cr(struct emul *e, ZydisRegister which, uint64_t value)
{
	switch (which) {
	case ZYDIS_REGISTER_CR0:
		return write_cr0(e, value);
	case ZYDIS_REGISTER_CR2:
		e->env.cpu->cr2 = value;
		return 0;
	case ZYDIS_REGISTER_CR3:
		return write_cr3(e, value);
	case ZYDIS_REGISTER_CR4:
		return write_cr4(e, value);
	case ZYDIS_REGISTER_CR8:
		if (value & ~(uint64_t)CR8_BITS)
			return gp(e);
		e->env.cpu->cr8 = value;
		return 0;
	default:
		return env_fault(&e->env, VEC_UD, 0);
	}
}

static int read_cr(struct emul *e, ZydisRegister which, uint64_t *ret_value)
{
	const struct cpu_state *cpu = e->env.cpu;

	switch (which) {
	case ZYDIS_REGISTER_CR0:
		*ret_value = cpu->cr0;
		return 0;
	case ZYDIS_REGISTER_CR2:
		*ret_value = cpu->cr2;
		return 0;
	case ZYDIS_REGISTER_CR3:
		*ret_value = cpu->cr3;
		return 0;
	case ZYDIS_REGISTER_CR4:
		*ret_value = cpu->cr4;
		return 0;
	case ZYDIS_REGISTER_CR8:
		*ret_value = cpu->cr8;
		return 0;
	default:
		return env_fault(&e->env, VEC_UD, 0);
	}
}

int emul_mov_cr(struct emul *e)
{
	ZydisRegister dst = e->insn.op[0].reg.value, src = e->insn.op[1].reg.value;
	uint64_t value = 0;
	int err;

	if (e->env.cpu->cpl != 0)
		return gp(e);
	if (dst >= ZYDIS_REGISTER_CR0 && dst <= ZYDIS_REGISTER_CR15)
		return write_cr(e, dst, emul_reg_read(e->env.cpu, src));
	err = read_cr(e, src, &value);
	if (err == 0)
		emul_reg_write(e->env.cpu, dst, value);
	return err;
}

static int write_dr(struct emul *e, unsigned n, uint64_t value)
{
	if (n >= 6 && value >> 32)
		return gp(e);
	e->env.cpu->dr[n] = n == 6 ? (value & ~(uint64_t)DR6_ZERO) | DR6_FIXED : n == 7 ? (value & ~(uint64_t)DR7_ZERO) | DR7_FIXED : value;
	return 0;
}

int emul_mov_dr(struct emul *e)
{
	ZydisRegister dst = e->insn.op[0].reg.value, src = e->insn.op[1].reg.value;
	bool to_dr = dst >= ZYDIS_REGISTER_DR0 && dst <= ZYDIS_REGISTER_DR15;
	unsigned n = (unsigned)((to_dr ? dst : src) - ZYDIS_REGISTER_DR0);

	if (n > 7 || ((n == 4 || n == 5) && e->env.cpu->cr4 & CR4_DE))
		return env_fault(&e->env, VEC_UD, 0);
	if (e->env.cpu->cpl != 0)
		return gp(e);
	if (e->env.cpu->dr[7] & DR7_GD) {
		e->env.exc = (struct cpu_exception){.vector = VEC_DB, .dr6 = DR6_BD};
		return -EFAULT;
	}
	if (n == 4 || n == 5)
		n += 2;
	if (to_dr)
		return write_dr(e, n, emul_reg_read(e->env.cpu, src));
	emul_reg_write(e->env.cpu, dst, e->env.cpu->dr[n]);
	return 0;
}

int emul_clts(struct emul *e)
{
	e->env.cpu->cr0 &= ~(uint64_t)CR0_TS;
	return 0;
}

/* Sets PE, MP, EM and TS; cannot clear PE, APM3 LMSW. */
int emul_lmsw(struct emul *e)
{
	uint64_t value = 0;
	int err = emul_read(e, &e->insn.op[0], &value);

	if (err)
		return err;
	return write_cr0(e, (e->env.cpu->cr0 & ~(uint64_t)CR0_LMSW) | (value & CR0_LMSW) | CR0_PE);
}

int emul_smsw(struct emul *e)
{
	if (e->env.cpu->cpl != 0 && e->env.cpu->cr4 & CR4_UMIP)
		return gp(e);
	return emul_write(e, &e->insn.op[0], e->env.cpu->cr0);
}

/* Only XCR0 exists. */
int emul_xgetbv(struct emul *e)
{
	struct cpu_state *cpu = e->env.cpu;

	if (!(cpu->cr4 & CR4_OSXSAVE))
		return env_fault(&e->env, VEC_UD, 0);
	if ((uint32_t)cpu->gpr[GPR_RCX] != 0)
		return gp(e);
	cpu->gpr[GPR_RAX] = (uint32_t)cpu->xcr0;
	cpu->gpr[GPR_RDX] = cpu->xcr0 >> 32;
	return 0;
}

int emul_xsetbv(struct emul *e)
{
	struct cpu_state *cpu = e->env.cpu;
	uint64_t value = (uint32_t)cpu->gpr[GPR_RAX] | cpu->gpr[GPR_RDX] << 32;

	if (!(cpu->cr4 & CR4_OSXSAVE))
		return env_fault(&e->env, VEC_UD, 0);
	if (cpu->cpl != 0 || (uint32_t)cpu->gpr[GPR_RCX] != 0 || value & ~e->env.ops->limits.xcr0_bits)
		return gp(e);
	if (!(value & XCR0_X87) || (value & XCR0_AVX && !(value & XCR0_SSE)))
		return gp(e);
	cpu->xcr0 = value;
	return 0;
}
