/* SPDX-License-Identifier: MIT */
/* The fast ways between CPL 3 and CPL 0: syscall, sysret, sysenter, sysexit. 64-bit code only. */
#include "cpu/emul.h"
#include "cpu/segment.h"

/* sysret takes all flags that exist but RF and VM, APM3 SYSRET. */
#define FLAGS_SYSRET (EMUL_FLAGS_POPPED | RFLAGS_IF | RFLAGS_IOPL)

/* STAR, APM2 6.1.1: syscall's CS in bits 47-32, sysret's in 63-48; SS is the next descriptor. */
#define STAR_SYSCALL_SHIFT 32
#define STAR_SYSRET_SHIFT  48
#define SELECTOR_NEXT      8
#define SYSRET_64BIT_CS    16

/* The flat segments that SYSEXIT loads lie so many bytes behind the one in SYSENTER_CS. */
#define SYSEXIT_64BIT_CS 32
#define SYSEXIT_SS       40

void emulate_syscall_entry(struct cpu_state *state, uint64_t return_rip)
{
	uint16_t cs = (uint16_t)(state->msrs.star >> STAR_SYSCALL_SHIFT) & (uint16_t)~SELECTOR_RPL;

	state->gpr[GPR_RCX] = return_rip;
	state->gpr[GPR_R11] = state->rflags & ~(uint64_t)RFLAGS_RF;
	state->rflags = (state->rflags & ~(state->msrs.sfmask | RFLAGS_RF)) | RFLAGS_FIXED;
	state->seg[SEG_CS] = segment_flat_code(cs, 0);
	state->seg[SEG_SS] = segment_flat_data(cs + SELECTOR_NEXT, 0);
	state->cpl = 0;
	state->rip = state->msrs.lstar;
	state->interrupt_shadow = false;
}

int emul_syscall(struct emul *e)
{
	if (!(e->env.cpu->efer & EFER_SCE))
		return env_fault(&e->env, VEC_UD, 0);
	emulate_syscall_entry(e->env.cpu, e->env.cpu->rip);
	return 0;
}

/* To an address that is not canonical: Intel's CPUs fault here, at CPL 0 (SDM vol. 2 SYSRET), AMD's at the target. */
int emul_sysret(struct emul *e)
{
	struct cpu_state *cpu = e->env.cpu;
	uint16_t base = (uint16_t)(cpu->msrs.star >> STAR_SYSRET_SHIFT);

	if (!(cpu->efer & EFER_SCE))
		return env_fault(&e->env, VEC_UD, 0);
	if (cpu->cpl != 0)
		return env_fault(&e->env, VEC_GP, 0);
	if (e->insn.z.operand_width != 64)
		return emul_unsupported(e, "sysret to 32-bit code");
	if (e->env.ops->limits.intel && !env_canonical(&e->env, cpu->gpr[GPR_RCX]))
		return env_fault(&e->env, VEC_GP, 0);
	cpu->rip = cpu->gpr[GPR_RCX];
	cpu->rflags = (cpu->gpr[GPR_R11] & FLAGS_SYSRET & ~(uint64_t)RFLAGS_RF) | RFLAGS_FIXED;
	cpu->seg[SEG_CS] = segment_flat_code((uint16_t)(base + SYSRET_64BIT_CS) | SELECTOR_RPL, 3);
	cpu->seg[SEG_SS] = segment_flat_data((uint16_t)(base + SELECTOR_NEXT) | SELECTOR_RPL, 3);
	cpu->cpl = 3;
	return 0;
}

/* SDM vol. 2 SYSENTER: 64-bit mode's, to CPL 0. Where it is none (AMD's long mode), #UD. */
int emul_sysenter(struct emul *e)
{
	struct cpu_state *cpu = e->env.cpu;
	const uint16_t cs = (uint16_t)cpu->msrs.sysenter_cs & (uint16_t)~SELECTOR_RPL;

	if (!e->env.ops->limits.intel)
		return env_fault(&e->env, VEC_UD, 0);
	if (cs == 0)
		return env_fault(&e->env, VEC_GP, 0);
	cpu->rflags &= ~(uint64_t)(RFLAGS_VM | RFLAGS_IF);
	cpu->seg[SEG_CS] = segment_flat_code(cs, 0);
	cpu->seg[SEG_SS] = segment_flat_data(cs + SELECTOR_NEXT, 0);
	cpu->cpl = 0;
	cpu->gpr[GPR_RSP] = cpu->msrs.sysenter_esp;
	cpu->rip = cpu->msrs.sysenter_eip;
	return 0;
}

/* SDM vol. 2 SYSEXIT, back to CPL 3: RDX and RCX hold RIP and RSP. */
int emul_sysexit(struct emul *e)
{
	struct cpu_state *cpu = e->env.cpu;
	const uint16_t base = (uint16_t)cpu->msrs.sysenter_cs & (uint16_t)~SELECTOR_RPL;

	if (!e->env.ops->limits.intel)
		return env_fault(&e->env, VEC_UD, 0);
	if (base == 0 || cpu->cpl != 0)
		return env_fault(&e->env, VEC_GP, 0);
	if (e->insn.z.operand_width != 64)
		return emul_unsupported(e, "sysexit to 32-bit code");
	if (!env_canonical(&e->env, cpu->gpr[GPR_RDX]) || !env_canonical(&e->env, cpu->gpr[GPR_RCX]))
		return env_fault(&e->env, VEC_GP, 0);
	cpu->rip = cpu->gpr[GPR_RDX];
	cpu->gpr[GPR_RSP] = cpu->gpr[GPR_RCX];
	cpu->seg[SEG_CS] = segment_flat_code((uint16_t)(base + SYSEXIT_64BIT_CS) | SELECTOR_RPL, 3);
	cpu->seg[SEG_SS] = segment_flat_data((uint16_t)(base + SYSEXIT_SS) | SELECTOR_RPL, 3);
	cpu->cpl = 3;
	return 0;
}
