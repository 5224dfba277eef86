/* SPDX-License-Identifier: MIT */
/* What traps, steps and the way in have in common: an exception or an interrupt for the guest, an instruction emulated. */
#include <gnomon/x86.h>

#include "cpu/emulate.h"
#include "cpu/inject.h"
#include "paging/shadow_vm.h"
#include "vm/reclaim.h"
#include "vm/vcpu.h"

/* The guest's descriptor tables or stack were taken from it: said, and the end. */
static bool violated(struct vcpu *vcpu, enum inject_outcome outcome)
{
	return outcome == INJECT_OUTSIDE_MEMORY && vcpu_violation(vcpu, vcpu->shadow->nowhere);
}

void shadow_trap_inject(struct vcpu *vcpu, const struct cpu_exception *exc)
{
	const enum inject_outcome outcome = inject_exception(&vcpu->shadow->cpu, &vcpu->vm->shadow->cpu_ops, vcpu, exc);

	counter_inc(&vcpu->counters, CTR_EXCEPTIONS_INJECTED);
	switch (outcome) {
	case INJECT_DONE:
	case INJECT_REPLACED:
		break;
	case INJECT_HOST_ERROR:
		vm_end(vcpu->vm, VM_HOST_FAILED, STATUS_HOST_FAILURE);
		break;
	case INJECT_TRIPLE_FAULT:
		vm_kill(vcpu, "triple fault: an exception could not be delivered, nor could the double fault after it");
		break;
	default:
		if (!violated(vcpu, outcome))
			vm_kill(vcpu, "exception %u cannot be delivered: %s", exc->vector,
			        inject_outcome_describe(outcome));
	}
}

/*
 * The CPU has seen enough of a program's instruction before a page of it that cannot be fetched. A kernel's it refused by
 * the privilege, which the guest's CPU has: that one wants all of it first.
 */
static bool cpu_saw_enough(const struct vcpu *vcpu, const struct cpu_exception *real)
{
	return vcpu->shadow->cpu.cpl == 3 || real->vector != VEC_GP;
}

bool shadow_trap_emulate(struct vcpu *vcpu, const struct cpu_exception *real, struct emul_result *res)
{
	enum emul_outcome outcome = emulate_insn(&vcpu->shadow->cpu, &vcpu->vm->shadow->cpu_ops, vcpu, res);

	switch (outcome) {
	case EMUL_UNKNOWN:
	case EMUL_UNSUPPORTED:
		return false;
	case EMUL_EXCEPTION:
		shadow_trap_inject(vcpu, real && res->fetch && cpu_saw_enough(vcpu, real) ? real : &res->exc);
		break;
	case EMUL_OUTSIDE_MEMORY:
		if (vcpu_violation(vcpu, vcpu->shadow->nowhere))
			break;
		if (vcpu->shadow->cpu.cpl == 3) { /* as KVM's emulator has it: a program ends no VM */
			shadow_trap_inject(vcpu, &(struct cpu_exception){.vector = VEC_UD});
			break;
		}
		vm_kill(vcpu, "the instruction at 0x%llx leads outside the guest's memory, to guest physical 0x%llx",
		        (unsigned long long)vcpu->shadow->cpu.rip, (unsigned long long)gpa_raw(vcpu->shadow->nowhere));
		break;
	case EMUL_HOST_ERROR:
		log_errno(-res->error, "emulation on vCPU %d", vcpu->id);
		vm_end(vcpu->vm, VM_HOST_FAILED, STATUS_HOST_FAILURE);
		break;
	default:
		break;
	}
	counter_inc(&vcpu->counters, CTR_INSNS_EMULATED);
	return true;
}

void shadow_trap_interrupts(struct vcpu *vcpu)
{
	struct cpu_state *c = &vcpu->shadow->cpu;
	int vector = vcpu_pending_vector(vcpu);
	enum inject_outcome outcome;

	if (vector < 0 || !inject_interrupt_allowed(c))
		return;
	vcpu_clear_vector(vcpu, vector);
	c->halted = false;
	outcome = inject_interrupt(c, &vcpu->vm->shadow->cpu_ops, vcpu, vector);
	counter_inc(&vcpu->counters, CTR_INTERRUPTS_INJECTED);
	if (outcome == INJECT_TRIPLE_FAULT)
		vm_kill(vcpu, "triple fault while interrupt %d was delivered", vector);
	else if (outcome != INJECT_DONE && outcome != INJECT_REPLACED && !violated(vcpu, outcome))
		vm_kill(vcpu, "interrupt %d cannot be delivered: %s", vector, inject_outcome_describe(outcome));
}
