/* SPDX-License-Identifier: MIT */
/* What all of shadow mode asks of a vCPU's state, and its lock. */
#include <gnomon/x86.h>

#include "paging/shadow_vm.h"
#include "vm/vcpu.h"

struct shadow_view shadow_vcpu_view(const struct vcpu *vcpu)
{
	const struct cpu_state *c = &vcpu->shadow->cpu;

	return (struct shadow_view){
	    .walk = {.cr3 = gpa_init(c->cr3 & PTE_ADDR),
	             .wp = c->cr0 & CR0_WP,
	             .nxe = c->efer & EFER_NXE,
	             .smep = c->cr4 & CR4_SMEP,
	             .smap = c->cr4 & CR4_SMAP,
	             .gbpages = vcpu->vm->shadow->gbpages,
	             .pml4_global_reserved = vcpu->vm->shadow->pml4_global_reserved,
	             .maxphyaddr = vcpu->vm->shadow->maxphyaddr},
	    .user = c->cpl == 3,
	    .ac = c->rflags & RFLAGS_AC || vcpu->shadow->through_smap,
	};
}

uint64_t shadow_vcpu_rflags(const struct vcpu *vcpu, uint64_t real)
{
	const struct shadow_vcpu *v = vcpu->shadow;
	/* Real are the flags that the guest's own code may change, but for what the VMM changed for one step. */
	const uint64_t virtual = RFLAGS_IF | RFLAGS_IOPL | RFLAGS_VIRTUAL | (v->stepping ? RFLAGS_TF | RFLAGS_NT : 0) |
	                         (v->without_ac ? RFLAGS_AC : 0);

	return (real & RFLAGS_REAL_MASK & ~virtual) | (v->cpu.rflags & virtual) | RFLAGS_FIXED;
}

void shadow_vcpu_lock(struct vcpu *vcpu)
{
	atomic_store(&vcpu->shadow->in_guest, false);
	pthread_mutex_lock(&vcpu->vm->paging_lock);
}

void shadow_vcpu_unlock(struct vcpu *vcpu)
{
	pthread_mutex_unlock(&vcpu->vm->paging_lock);
}

void shadow_step_ask(struct vcpu *vcpu)
{
	struct shadow_vcpu *v = vcpu->shadow;

	v->step_again = true;
	if (v->stepping)
		return;
	v->stepping = true;
	counter_inc(&vcpu->counters, CTR_SHADOW_STEPS);
}
