/* SPDX-License-Identifier: MIT */
/*
 * kvm_pvm has its own emulator look at what the CPU refused with #GP or #SS, and reports something else: #UD for an
 * instruction that the emulator does not know, #PF for an address that is not canonical or, of FXSAVE, not aligned
 * (docs/hosts.md). The instruction at RIP tells what the CPU said.
 */
#include <gnomon/x86.h>

#include "kvm/shadow_vm.h"
#include "kvm/vcpu.h"
#include "trap/inspect.h"

static bool is_canonical(const struct insn_access *a)
{
	return gva_canonical(a->at) && gva_canonical(gva_add(a->at, a->size - 1));
}

static void refuse(const struct insn_access *a, struct cpu_exception *exc)
{
	*exc = (struct cpu_exception){.vector = !is_canonical(a) && a->stack ? VEC_SS : VEC_GP, .has_error = true};
}

void shadow_pvm_mend_ud(struct vcpu *vcpu, struct cpu_exception *exc)
{
	struct inspection i;

	if (vcpu->vm->shadow->obeyed || exc->vector != VEC_UD ||
	    !inspect_insn(&vcpu->shadow->cpu, &vcpu->vm->shadow->cpu_ops, vcpu, &i) || !i.present)
		return;
	/* The CPU has it, and it reaches for memory: that is what it was refused for. */
	if (i.nr_accesses || i.lanes)
		*exc = (struct cpu_exception){.vector = VEC_GP, .has_error = true};
	for (unsigned n = 0; n < i.nr_accesses; n++)
		if (!is_canonical(&i.access[n]))
			refuse(&i.access[n], exc);
}

bool shadow_pvm_mend_pf(struct vcpu *vcpu, gva_t at, struct cpu_exception *ret_exc)
{
	struct inspection i;

	if (vcpu->vm->shadow->obeyed)
		return false;
	*ret_exc = (struct cpu_exception){.vector = VEC_GP, .has_error = true};
	if (!inspect_insn(&vcpu->shadow->cpu, &vcpu->vm->shadow->cpu_ops, vcpu, &i))
		return !gva_canonical(at);
	for (unsigned n = 0; n < i.nr_accesses; n++) {
		const struct insn_access *a = &i.access[n];

		if (at.raw - a->at.raw >= a->size || (is_canonical(a) && a->at.raw % a->align == 0))
			continue;
		refuse(a, ret_exc);
		return true;
	}
	return !gva_canonical(at);
}
