/* SPDX-License-Identifier: MIT */
/* Guest memory by the guest's own tables, in either mode: for messages. */
#include <gnomon/x86.h>

#include "kvm/cpuid.h"
#include "vm/vcpu.h"

struct walk_mode vcpu_walk_mode(const struct cpu_state *c)
{
	struct walk_mode mode = {.gbpages = cpuid_gbpages(),
	                         .pml4_global_reserved = cpuid_pml4_global_reserved(),
	                         .maxphyaddr = cpuid_maxphyaddr()};

	walk_mode_set(&mode, c->cr0, c->cr3, c->cr4, c->efer);
	return mode;
}

bool vcpu_peek(struct vcpu *vcpu, const struct cpu_state *state, gva_t at, uint8_t *ret_byte)
{
	const struct stage2 *s2 = &vcpu->vm->stage2;
	const struct walk_mode mode = vcpu_walk_mode(state);
	struct walk w = {.outcome = WALK_OK, .gpa = gpa_init(gva_raw(at))}; /* with paging off */
	int r = -1;

	vcpu_pin(vcpu);
	if (state->cr0 & CR0_PG)
		guest_walk(s2, &mode, at, (struct walk_access){.ac = true}, false, &w);
	if (w.outcome == WALK_OK)
		r = stage2_read(s2, w.gpa, ret_byte, 1);
	vcpu_unpin(vcpu);
	return r == 0;
}

bool vcpu_guest_entry(struct vcpu *vcpu, uint64_t at, uint64_t *ret_entry)
{
	const uint64_t *p;

	vcpu_pin(vcpu);
	p = stage2_ptr(&vcpu->vm->stage2, gpa_init(at), sizeof(*p));
	if (p)
		*ret_entry = __atomic_load_n(p, __ATOMIC_RELAXED);
	vcpu_unpin(vcpu);
	return p;
}
