/* SPDX-License-Identifier: MIT */
/* A guest that reached memory which was taken from it: counted, and its end. */
#include "vm/reclaim.h"
#include "vm/vcpu.h"

#ifndef KVM_EXIT_MEMORY_FAULT /* Linux 6.8 */
#define KVM_EXIT_MEMORY_FAULT 39
#endif

/* Its part of struct kvm_run's union. */
struct memory_fault {
	uint64_t flags, gpa, size;
};

bool vcpu_violation(struct vcpu *vcpu, gpa_t gpa)
{
	if (!stage2_is_ram(&vcpu->vm->stage2, gpa, 1))
		return false;
	counter_inc(&vcpu->counters, CTR_STAGE2_VIOLATIONS);
	vm_kill(vcpu, "it reached guest physical 0x%llx, which was taken away from it",
	        (unsigned long long)gpa_raw(gpa));
	return true;
}

void vcpu_memory_fault(struct vcpu *vcpu)
{
	const struct memory_fault *f = (const void *)&vcpu->run->internal;

	if (vcpu->run->exit_reason == KVM_EXIT_MEMORY_FAULT && vcpu_violation(vcpu, gpa_init(f->gpa)))
		return;
	if (atomic_load(&vcpu->vm->reclaim_generation)) { /* from before the first slice goes */
		counter_inc(&vcpu->counters, CTR_STAGE2_VIOLATIONS);
		vm_kill(vcpu, "it reached memory that was taken away from it; this host's KVM does not say where");
	} else {
		vm_kill(vcpu, "it reached memory that the host does not back");
	}
}
