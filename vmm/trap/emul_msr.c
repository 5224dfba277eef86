/* SPDX-License-Identifier: MIT */
/* Model-specific registers and the instructions that stand for some of them, APM2 3.2. */
#include <errno.h>

#include "trap/emul.h"

#define MSR_SYSENTER_CS  0x174
#define MSR_SYSENTER_ESP 0x175
#define MSR_SYSENTER_EIP 0x176
#define MSR_PAT          0x277
#define MSR_TSC_AUX      0xc0000103

/* Memory types that a PAT byte may hold: all below 8 but 2 and 3, APM2 7.8. */
#define PAT_TYPES (1 << 0 | 1 << 1 | 1 << 4 | 1 << 5 | 1 << 6 | 1 << 7)

static int gp(struct emul *e) { return env_fault(&e->env, VEC_GP, 0); }

/* What a write of an MSR in struct cpu_state must satisfy. */
enum msr_rule { RULE_NONE, RULE_CANONICAL, RULE_32BIT, RULE_EFER, RULE_PAT };

/* The MSR's place in the state, or NULL. */
static uint64_t *msr_slot(struct cpu_state *cpu, uint32_t index, enum msr_rule *ret_rule)
{
	const struct {
		uint32_t index;
		enum msr_rule rule;
		uint64_t *slot;
	} table[] = {
		{MSR_EFER, RULE_EFER, &cpu->efer},
		{MSR_STAR, RULE_NONE, &cpu->msrs.star},
		{MSR_LSTAR, RULE_CANONICAL, &cpu->msrs.lstar},
		{MSR_CSTAR, RULE_CANONICAL, &cpu->msrs.cstar},
		{MSR_SYSCALL_MASK, RULE_32BIT, &cpu->msrs.sfmask},
		{MSR_FS_BASE, RULE_CANONICAL, &cpu->seg[SEG_FS].base},
		{MSR_GS_BASE, RULE_CANONICAL, &cpu->seg[SEG_GS].base},
		{MSR_KERNEL_GS_BASE, RULE_CANONICAL, &cpu->msrs.kernel_gs_base},
		{MSR_TSC_AUX, RULE_32BIT, &cpu->msrs.tsc_aux},
		{MSR_SYSENTER_CS, RULE_NONE, &cpu->msrs.sysenter_cs},
		{MSR_SYSENTER_ESP, RULE_CANONICAL, &cpu->msrs.sysenter_esp},
		{MSR_SYSENTER_EIP, RULE_CANONICAL, &cpu->msrs.sysenter_eip},
		{MSR_PAT, RULE_PAT, &cpu->msrs.pat},
	};

	for (unsigned i = 0; i < sizeof(table) / sizeof(*table); i++) {
		if (table[i].index == index) {
			*ret_rule = table[i].rule;
			return table[i].slot;
		}
	}
	return NULL;
}

static bool pat_valid(uint64_t value)
{
	for (unsigned i = 0; i < 8; i++) {
		unsigned type = value >> 8 * i & 0xff;

		if (type > 7 || !(PAT_TYPES >> type & 1))
			return false;
	}
	return true;
}

/* LMA follows PG and LME, and LME cannot change while paging is on, APM2 14.6. */
static int write_efer(struct emul *e, uint64_t value)
{
	struct cpu_state *cpu = e->env.cpu;

	value = (value & ~(uint64_t)EFER_LMA) | (cpu->efer & EFER_LMA);
	if (value & ~(e->env.ops->limits.efer_bits | EFER_LMA) || (cpu->efer ^ value) & EFER_LME)
		return gp(e);
	cpu->efer = value;
	return 0;
}

static int write_slot(struct emul *e, uint64_t *slot, enum msr_rule rule, uint64_t value)
{
	if (rule == RULE_EFER)
		return write_efer(e, value);
	if ((rule == RULE_CANONICAL && !env_canonical(&e->env, value)) || (rule == RULE_32BIT && value >> 32) ||
	    (rule == RULE_PAT && !pat_valid(value)))
		return gp(e);
	*slot = value;
	return 0;
}

int emul_wrmsr(struct emul *e)
{
	struct cpu_state *cpu = e->env.cpu;
	const struct cpu_ops *ops = e->env.ops;
	uint32_t index = (uint32_t)cpu->gpr[GPR_RCX];
	uint64_t value = (uint32_t)cpu->gpr[GPR_RAX] | cpu->gpr[GPR_RDX] << 32;
	enum msr_rule rule = RULE_NONE;
	uint64_t *slot = msr_slot(cpu, index, &rule);
	int err;

	if (slot)
		return write_slot(e, slot, rule, value);
	err = ops->msr_write ? ops->msr_write(e->env.ctx, index, value) : -ENOENT;
	return err == -ENOENT ? gp(e) : err;
}

int emul_rdmsr(struct emul *e)
{
	struct cpu_state *cpu = e->env.cpu;
	const struct cpu_ops *ops = e->env.ops;
	uint32_t index = (uint32_t)cpu->gpr[GPR_RCX];
	uint64_t value = 0;
	enum msr_rule rule = RULE_NONE;
	const uint64_t *slot = msr_slot(cpu, index, &rule);
	int err = 0;

	if (slot)
		value = *slot;
	else
		err = ops->msr_read ? ops->msr_read(e->env.ctx, index, &value) : -ENOENT;
	if (err)
		return err == -ENOENT ? gp(e) : err;
	cpu->gpr[GPR_RAX] = (uint32_t)value;
	cpu->gpr[GPR_RDX] = value >> 32;
	return 0;
}

/* There are no performance counters, so that every index is out of range. */
int emul_rdpmc(struct emul *e) { return gp(e); }

int emul_swapgs(struct emul *e)
{
	struct cpu_state *cpu = e->env.cpu;
	uint64_t base = cpu->seg[SEG_GS].base;

	cpu->seg[SEG_GS].base = cpu->msrs.kernel_gs_base;
	cpu->msrs.kernel_gs_base = base;
	return 0;
}

/* rdfsbase, rdgsbase, wrfsbase, wrgsbase: any CPL, if CR4.FSGSBASE allows. */
int emul_fsgsbase(struct emul *e)
{
	ZydisMnemonic m = e->insn.z.mnemonic;
	bool fs = m == ZYDIS_MNEMONIC_RDFSBASE || m == ZYDIS_MNEMONIC_WRFSBASE;
	bool reads = m == ZYDIS_MNEMONIC_RDFSBASE || m == ZYDIS_MNEMONIC_RDGSBASE;
	uint64_t *base = &e->env.cpu->seg[fs ? SEG_FS : SEG_GS].base, value;

	if (!(e->env.cpu->cr4 & CR4_FSGSBASE))
		return env_fault(&e->env, VEC_UD, 0);
	if (reads) {
		emul_reg_write(e->env.cpu, e->insn.op[0].reg.value, *base);
		return 0;
	}
	value = emul_reg_read(e->env.cpu, e->insn.op[0].reg.value);
	if (!env_canonical(&e->env, value))
		return gp(e);
	*base = value;
	return 0;
}
