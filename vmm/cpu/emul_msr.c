/* SPDX-License-Identifier: MIT */
/* Model-specific registers and the instructions that stand for some of them, APM2 3.2. */
#include "cpu/emul.h"

/* Memory types that a PAT byte may hold: all below 8 but 2 and 3, APM2 7.8. */
#define PAT_TYPES (1 << 0 | 1 << 1 | 1 << 4 | 1 << 5 | 1 << 6 | 1 << 7)

static int gp(struct emul *e) { return env_fault(&e->env, VEC_GP, 0); }

/* What a write of an MSR in struct cpu_state must satisfy. */
enum msr_rule { RULE_NONE, RULE_CANONICAL, RULE_32BIT, RULE_EFER, RULE_PAT };

/* The MSR's place in the state, or NULL. */
static uint64_t *msr_slot(struct emul *e, uint32_t index, enum msr_rule *ret_rule)
{
	struct cpu_state *cpu = e->env.cpu;
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

	if (index == MSR_TSC_AUX && !e->env.ops->limits.tsc_aux)
		return NULL;
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
	uint64_t value = (uint32_t)cpu->gpr[GPR_RAX] | cpu->gpr[GPR_RDX] << 32;
	enum msr_rule rule = RULE_NONE;
	uint64_t *slot = msr_slot(e, (uint32_t)cpu->gpr[GPR_RCX], &rule);

	return slot ? write_slot(e, slot, rule, value) : gp(e);
}

/* A 64-bit value in EDX:EAX. */
static void return_pair(struct cpu_state *cpu, uint64_t value)
{
	cpu->gpr[GPR_RAX] = (uint32_t)value;
	cpu->gpr[GPR_RDX] = value >> 32;
}

int emul_rdmsr(struct emul *e)
{
	struct cpu_state *cpu = e->env.cpu;
	enum msr_rule rule = RULE_NONE;
	const uint64_t *slot = msr_slot(e, (uint32_t)cpu->gpr[GPR_RCX], &rule);

	if (!slot)
		return gp(e);
	return_pair(cpu, *slot);
	return 0;
}

/* rdtsc and rdtscp: at CPL 3 only while CR4.TSD is clear, APM3. */
int emul_rdtsc(struct emul *e)
{
	struct cpu_state *cpu = e->env.cpu;
	uint64_t tsc = 0;
	int err;

	if (cpu->cpl != 0 && cpu->cr4 & CR4_TSD)
		return gp(e);
	if (e->insn.z.mnemonic == ZYDIS_MNEMONIC_RDTSCP) {
		if (!e->env.ops->limits.tsc_aux)
			return env_fault(&e->env, VEC_UD, 0);
		cpu->gpr[GPR_RCX] = (uint32_t)cpu->msrs.tsc_aux;
	}
	err = e->env.ops->tsc(e->env.ctx, &tsc);
	if (err == 0)
		return_pair(cpu, tsc);
	return err;
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
