/* SPDX-License-Identifier: MIT */
/*
 * One instruction of the guest at a time. Where the emulator does not know it, the real CPU runs it with RFLAGS.TF set,
 * so that the stub reports as soon as it is done:
 *
 *   - it writes to a tracked table: the table is open meanwhile (shadow_open)
 *   - RFLAGS.AC, or SMAP, would hinder it at the real CPL 3 where the guest's kernel is entitled to it
 *   - an interrupt waits for the end of the shadow of STI or MOV SS
 *   - the guest's registers ask for something that the CPU does not look at: is_supervised()
 */
#include <gnomon/x86.h>

#include "paging/shadow_vm.h"
#include "vm/vcpu.h"
#include "cpu/breakpoint.h"
#include "cpu/inspect.h"
#include "stub/stub.h"

/* Faults on the way through one instruction: a page of code and 32 of data, each four tables deep, and tables to open. */
#define TRIES 256

void shadow_step_run(struct vcpu *vcpu)
{
	struct shadow_vcpu *v = vcpu->shadow;
	int tries = 0;

	if (!v->stepping)
		return;
	while (v->step_again && tries++ < TRIES) {
		v->step_again = false;
		if (!shadow_vcpu_load(vcpu) || !shadow_vcpu_run_to_stub(vcpu))
			break;
		shadow_vcpu_take_trap(vcpu);
	}
	v->stepping = v->without_ac = v->through_smap = false;
	shadow_close_all(vcpu->vm->shadow->mmu, &vcpu->counters);
	if (v->step_again)
		vm_kill(vcpu, "the instruction at RIP faults again and again on what its own accesses change");
}

static void step(struct vcpu *vcpu)
{
	shadow_step_ask(vcpu);
	shadow_step_run(vcpu);
}

/*
 * What the guest's registers ask for and this host's CPU does not look at: at the real CPL 3 of kvm_pvm, which also clears
 * RFLAGS.NT on the way in; or on no host. Breakpoints of the guest's are not given to the CPU, for KVM's way of doing so
 * does not work on each (docs/hosts.md). POPF at CPL 3 changes AC, and with it what SMAP forbids, without a trap.
 */
static bool is_supervised(const struct vcpu *vcpu)
{
	const struct cpu_state *c = &vcpu->shadow->cpu;

	if (c->dr[7] & DR7_ENABLES)
		return true;
	if ((vcpu->shadow->popf_sets_ac || vcpu->shadow->programs_ac) && c->cpl == 0 && c->rflags & RFLAGS_AC &&
	    c->cr4 & CR4_SMAP)
		return true;
	return !vcpu->vm->shadow->obeyed && (c->cr0 & (CR0_TS | CR0_EM) || c->cr4 & CR4_TSD || c->rflags & RFLAGS_NT);
}

bool shadow_step_due(struct vcpu *vcpu)
{
	const struct cpu_state *c = &vcpu->shadow->cpu;

	return is_supervised(vcpu) || (c->interrupt_shadow && c->rflags & RFLAGS_IF && vcpu_pending_vector(vcpu) >= 0);
}

static void inject(struct vcpu *vcpu, uint8_t vector, uint64_t dr6)
{
	shadow_trap_inject(vcpu, &(struct cpu_exception){.vector = vector, .dr6 = dr6});
}

/* Breakpoints that the accesses of the instruction at RIP are going to meet. */
static uint64_t data_breakpoints(struct vcpu *vcpu)
{
	const struct cpu_state *c = &vcpu->shadow->cpu;
	struct inspection insn;
	uint64_t hits = 0;

	if (!(c->dr[7] & DR7_ENABLES) || !inspect_insn(c, &vcpu->vm->shadow->cpu_ops, vcpu, &insn))
		return 0;
	for (unsigned i = 0; i < insn.nr_accesses; i++) {
		const struct insn_access *a = &insn.access[i];

		hits |= breakpoint_data(c, gva_raw(a->at), a->size, a->write);
	}
	return hits;
}

static void step_supervised(struct vcpu *vcpu, const struct emul_result *res)
{
	const int vector = insn_fpu_fault(&vcpu->shadow->cpu, res->fpu);

	if (vector >= 0) {
		inject(vcpu, vector, 0);
		return;
	}
	vcpu->shadow->hits = data_breakpoints(vcpu);
	step(vcpu);
	vcpu->shadow->hits = 0; /* a fault: it meets them when it runs again */
}

void shadow_step_supervised(struct vcpu *vcpu)
{
	struct cpu_state *c = &vcpu->shadow->cpu;
	const bool supervised = is_supervised(vcpu);
	const uint64_t hits = supervised ? breakpoint_exec(c, c->rip) : 0;
	struct emul_result res;

	if (hits)
		inject(vcpu, VEC_DB, hits);
	else if (shadow_trap_emulate(vcpu, NULL, &res))
		return;
	else if (supervised)
		step_supervised(vcpu, &res);
	else
		step(vcpu);
}
