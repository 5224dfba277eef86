/* SPDX-License-Identifier: MIT */
/* A guest that reached memory which was taken from it: counted, and its end. */
#include <gnomon/x86.h>

#include "kvm/cpuid.h"
#include "vm/reclaim.h"
#include "vm/vcpu.h"
#include "walk/guest_walk.h"

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

/* Where the guest's way to `gva` meets memory that was taken from it: a table, or what is there. */
static bool leads_to_taken(struct vcpu *vcpu, const struct walk_mode *mode, uint64_t gva, gpa_t *ret_at)
{
	const struct stage2 *s2 = &vcpu->vm->stage2;
	struct stage2_mapping m;
	struct walk w;

	vcpu_pin(vcpu);
	guest_walk(s2, mode, gva_init(gva), (struct walk_access){.ac = true}, false, &w);
	vcpu_unpin(vcpu);
	if (w.outcome != WALK_OK && w.outcome != WALK_TABLE_OUTSIDE)
		return false;
	*ret_at = w.outcome == WALK_OK ? w.gpa : w.outside;
	return stage2_is_ram(s2, *ret_at, 1) && !stage2_lookup(s2, *ret_at, &m);
}

/* Some of the guest's memory is not its now. */
static bool is_something_taken(struct vm *vm)
{
	bool mapped = true;

	for (int i = 0; mapped && i < vm->mem.nr_regions; i++) {
		const struct mem_region *m = &vm->mem.region[i];

		if (stage2_range_state(&vm->stage2, gpa_init(maddr_raw(m->base)), m->size, &mapped) < 0)
			mapped = false;
	}
	return !mapped;
}

/*
 * After a shutdown SVM's saved state is undefined (APM2 15.14.3), and KVM leaves a vCPU as after INIT: a state that no
 * guest is started in. In doubt it reached what was taken: nothing that it does there may be silent.
 */
static bool is_violation_forgotten(struct vcpu *vcpu, const struct kvm_regs *r, const struct kvm_sregs *s)
{
	if (s->cr0 & CR0_PE || r->rip != 0xfff0 || !is_something_taken(vcpu->vm))
		return false;
	counter_inc(&vcpu->counters, CTR_STAGE2_VIOLATIONS);
	vm_kill(vcpu, "triple fault, with memory taken away from it; this host's CPU does not say where that happened");
	return true;
}

bool vcpu_violation_behind(struct vcpu *vcpu)
{
	struct kvm_sregs s;
	struct kvm_regs r;

	if (vcpu->shadow || !atomic_load(&vcpu->vm->reclaim_generation) || vcpu_get_registers(vcpu, &r, &s) < 0)
		return false;
	if (!(s.cr0 & CR0_PG))
		return is_violation_forgotten(vcpu, &r, &s);

	const struct walk_mode mode = {.cr3 = gpa_init(s.cr3 & PTE_ADDR),
	                               .wp = s.cr0 & CR0_WP,
	                               .nxe = s.efer & EFER_NXE,
	                               .gbpages = cpuid_gbpages(),
	                               .maxphyaddr = cpuid_maxphyaddr()};
	/* What an instruction needs, and the delivery of an exception. */
	const uint64_t needed[] = {r.rip, s.cr2, s.idt.base, s.gdt.base, s.tr.base, r.rsp - sizeof(uint64_t)};
	gpa_t at;

	for (size_t i = 0; i < sizeof(needed) / sizeof(*needed); i++)
		if (leads_to_taken(vcpu, &mode, needed[i], &at))
			return vcpu_violation(vcpu, at);
	return false;
}
