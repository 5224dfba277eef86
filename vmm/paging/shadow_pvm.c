/* SPDX-License-Identifier: MIT */
/*
 * kvm_pvm has its own emulator look at what the CPU refused with #GP or #SS, and reports something else: #UD for an
 * instruction that the emulator does not know; #PF for an address that is not canonical or, of FXSAVE, not aligned; #SS
 * for #GP; #GP for no instruction at all (docs/hosts.md). The bytes at RIP tell what the CPU said.
 */
#include <gnomon/x86.h>

#include "paging/shadow_vm.h"
#include "vm/vcpu.h"
#include "cpu/inspect.h"
#include "stub/stub.h"

#define FXSAVE_AREA 512 /* bytes */

static bool is_canonical(const struct insn_access *a)
{
	return gva_canonical(a->at) && gva_canonical(gva_add(a->at, a->size - 1));
}

static bool is_aligned(const struct insn_access *a)
{
	return a->at.raw % a->align == 0;
}

/* Of both faults the alignment's is the one, but for FXSAVE and FXRSTOR, and AMD's SHA. */
static struct cpu_exception refusal(const struct insn_access *a)
{
	const bool stack = a->stack && !is_canonical(a) && (is_aligned(a) || a->aligned_last || a->size == FXSAVE_AREA);

	return (struct cpu_exception){.vector = stack ? VEC_SS : VEC_GP, .has_error = true};
}

/* The first access that the CPU refuses decides. Without any: *@exc stays. */
static void refuse(const struct inspection *i, struct cpu_exception *exc)
{
	for (unsigned n = 0; n < i->nr_accesses; n++) {
		if (!is_canonical(&i->access[n]) || !is_aligned(&i->access[n])) {
			*exc = refusal(&i->access[n]);
			return;
		}
	}
}

/* An SS prefix counts for nothing in 64-bit mode, but KVM's emulator takes it for a segment; nor does it mind alignment. */
static bool is_stack_fault(const struct inspection *i)
{
	struct cpu_exception exc = {.vector = VEC_SS};
	bool meant = i->lanes || !i->nr_accesses;

	for (unsigned n = 0; n < i->nr_accesses; n++)
		meant |= i->access[n].stack;
	refuse(i, &exc);
	return meant && exc.vector == VEC_SS;
}

void shadow_pvm_mend(struct vcpu *vcpu, struct cpu_exception *exc)
{
	const struct cpu_exception gp = {.vector = VEC_GP, .has_error = true};
	struct inspection i;

	if (vcpu->vm->shadow->obeyed || !inspect_insn(&vcpu->shadow->cpu, &vcpu->vm->shadow->cpu_ops, vcpu, &i))
		return;
	if (!i.known) { /* KVM's emulator may take it for another one, LOCK IRET for IRET */
		*exc = (struct cpu_exception){.vector = VEC_UD};
	} else if (exc->vector == VEC_SS && !is_stack_fault(&i)) {
		*exc = gp;
	} else if (exc->vector == VEC_UD && i.present && (i.nr_accesses || i.lanes)) {
		/* The CPU has it, and it reaches for memory: that is what it was refused for. */
		*exc = gp;
		refuse(&i, exc);
	}
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
		const bool inside = at.raw - a->at.raw < a->size;

		if (inside && is_canonical(a) && (is_aligned(a) || a->aligned_last))
			return false;
		/* FXSAVE's and FXRSTOR's KVM looks for without the base of FS or GS. */
		if (inside || a->size == FXSAVE_AREA) {
			*ret_exc = refusal(a);
			return true;
		}
	}
	return !gva_canonical(at);
}

void shadow_pvm_mend_int1(struct vcpu *vcpu)
{
	struct shadow_vcpu *v = vcpu->shadow;
	struct inspection i;

	/* A single step's trap behind another instruction: the INT1 is still to come. */
	if (v->cpu.rip != v->entry_rip && v->cpu.rflags & RFLAGS_TF)
		return;
	if (!vcpu->vm->shadow->obeyed && !v->stepping && inspect_insn(&v->cpu, &vcpu->vm->shadow->cpu_ops, vcpu, &i) &&
	    i.int1)
		v->cpu.rip += i.length;
}

static bool is_syscall_fetch(struct vcpu *vcpu, uint64_t cr2)
{
	struct cpu_state *c = &vcpu->shadow->cpu;
	struct cpu_exception exc;
	uint8_t insn[2];

	if (vcpu->vm->shadow->obeyed || c->rip != stub_address(stub_syscall) || cr2 != c->rip)
		return false;
	return vcpu->vm->shadow->cpu_ops.read(vcpu, gva_init(c->gpr[GPR_RCX] - 2), insn, 2,
	                                      ACCESS_FETCH | (c->cpl == 3 ? ACCESS_USER : 0), &exc) == 0 &&
	       insn[0] == 0x0f && insn[1] == 0x05;
}

bool shadow_pvm_take_syscall(struct vcpu *vcpu, uint64_t cr2)
{
	struct cpu_state *c = &vcpu->shadow->cpu;

	if (!is_syscall_fetch(vcpu, cr2))
		return false;
	c->rip = c->gpr[GPR_RCX];
	c->rflags = shadow_vcpu_rflags(vcpu, c->gpr[GPR_R11] & ~(uint64_t)RFLAGS_RF);
	return true;
}
