/* SPDX-License-Identifier: MIT */
/*
 * What a trap of the deprivileged guest means: a fault the shadow owes it, an instruction
 * to emulate, an exception of its own to reflect, or its end.
 */
#include <errno.h>
#include <gnomon/x86.h>
#include <string.h>

#include "vm/reclaim.h"
#include "paging/shadow_vm.h"
#include "vm/vcpu.h"
#include "cpu/emulate.h"
#include "cpu/inject.h"
#include "cpu/inspect.h"
#include "stub/stub.h"

/* Vectors whose frame carries an error code, APM2 8.2. */
#define VECTORS_WITH_ERROR                                                                                             \
	(1u << VEC_DF | 1u << VEC_TS | 1u << VEC_NP | 1u << VEC_SS | 1u << VEC_GP | 1u << VEC_PF | 1u << VEC_AC)

#define OPCODE_INT1 0xf1

static void inject_ud(struct vcpu *vcpu)
{
	shadow_trap_inject(vcpu, &(struct cpu_exception){.vector = VEC_UD});
}

static void kill_at_gap(struct vcpu *vcpu, const struct emul_result *res)
{
	vm_kill(vcpu, "the instruction at RIP cannot be emulated: %s", res->why);
}

/*
 * The CPU refused the instruction at CPL 3. Where that is what the guest's CPU would do, the exception is the guest's: to
 * a program, whatever it tried. A kernel's privileged instruction that is not known belongs to a feature that CPUID does
 * not offer, or is none: QEMU looks at the privilege before it looks for the register or at LOCK.
 */
static void trap_refused(struct vcpu *vcpu, struct cpu_exception *real)
{
	struct emul_result res;

	if (shadow_trap_emulate(vcpu, real, &res))
		return;
	shadow_pvm_mend(vcpu, real);
	if (vcpu->shadow->cpu.cpl == 0 && (res.privileged || (res.undefined && real->vector == VEC_GP)))
		inject_ud(vcpu);
	else if (vcpu->shadow->cpu.cpl == 0 && res.unsupported)
		kill_at_gap(vcpu, &res);
	else
		shadow_trap_inject(vcpu, real);
}

static void inject_page_fault(struct vcpu *vcpu, gva_t at, uint32_t error)
{
	shadow_trap_inject(vcpu,
	                   &(struct cpu_exception){.vector = VEC_PF, .has_error = true, .error = error, .cr2 = at});
}

/* A store to a table that has a shadow. What nobody emulates the CPU does, while the table is open. */
static void trap_tracked_write(struct vcpu *vcpu, gfn_t table)
{
	struct emul_result res;

	if (shadow_trap_emulate(vcpu, NULL, &res))
		return;
	if (shadow_open(vcpu->vm->shadow->mmu, &vcpu->counters, table))
		shadow_step_ask(vcpu);
	else
		kill_at_gap(vcpu, &res);
}

/* Whether the guest's tables allow the kernel's access, SMAP included. Else: the #PF that they owe. */
static bool may_access(struct vcpu *vcpu, const struct insn_access *a, struct cpu_exception *ret_exc)
{
	const struct shadow_view view = shadow_vcpu_view(vcpu);
	const struct walk_access how = {.write = a->write, .ac = view.ac};
	const gva_t ends[] = {a->at, gva_add(a->at, a->size - 1)};
	struct walk walk;

	for (unsigned n = 0; n < 2; n++) {
		guest_walk(&vcpu->vm->stage2, &view.walk, ends[n], how, false, &walk);
		if (walk.outcome == WALK_DENIED) {
			*ret_exc = (struct cpu_exception){
			    .vector = VEC_PF,
			    .has_error = true,
			    .error = walk.error_code,
			    .cr2 = n && gva_raw(ends[n]) / PAGE_SIZE != gva_raw(a->at) / PAGE_SIZE
			               ? gva_init(gva_raw(ends[n]) & ~(PAGE_SIZE - 1ull))
			               : a->at};
			return false;
		}
	}
	return true;
}

/*
 * CR4.SMAP without SMEP: the kernel runs a page of a program's. A shadow entry that it can fetch through it could read
 * through, too. So what nobody emulates the CPU does without SMAP, once its accesses are known to be allowed under it.
 */
static void trap_fetch_only(struct vcpu *vcpu)
{
	struct inspection insn = {0};
	struct cpu_exception exc;
	struct emul_result res;

	if (shadow_trap_emulate(vcpu, NULL, &res))
		return;
	(void)!inspect_insn(&vcpu->shadow->cpu, &vcpu->vm->shadow->cpu_ops, vcpu, &insn);
	if (insn.lanes) {
		vm_kill(vcpu, "a gather or scatter in a program's page, by the kernel under SMAP: where to is not known");
		return;
	}
	for (unsigned i = 0; i < insn.nr_accesses; i++) {
		if (!may_access(vcpu, &insn.access[i], &exc)) {
			shadow_trap_inject(vcpu, &exc);
			return;
		}
	}
	vcpu->shadow->through_smap = true;
	shadow_step_ask(vcpu);
}

/* An access to a device, or to nowhere. Nobody else can do it for the CPU. */
static void trap_mmio(struct vcpu *vcpu)
{
	struct emul_result res;

	if (shadow_trap_emulate(vcpu, NULL, &res))
		return;
	if (vcpu->shadow->cpu.cpl == 3)
		inject_ud(vcpu);
	else
		kill_at_gap(vcpu, &res);
}

static void trap_page_fault(struct vcpu *vcpu, uint32_t error, uint64_t cr2)
{
	const struct shadow_view view = shadow_vcpu_view(vcpu);
	const struct walk_access access = {
	    .user = view.user, .write = error & PFEC_W, .fetch = error & PFEC_I, .ac = view.ac};
	const bool between_lanes = vcpu->shadow->between_lanes;
	struct cpu_exception refused;
	enum shadow_outcome outcome;
	struct walk walk;

	if (shadow_pvm_take_syscall(vcpu, cr2)) {
		shadow_trap_syscall(vcpu);
		return;
	}
	counter_inc(&vcpu->counters, CTR_TRAP_PF);
	vcpu->shadow->between_lanes = false;
	outcome = shadow_fault(vcpu->vm->shadow->mmu, &vcpu->counters, &view, gva_init(cr2), access, &walk);
	switch (outcome) {
	case SHADOW_FILLED:
		vcpu->shadow->step_again = true;
		break;
	case SHADOW_GUEST_FAULT:
		if (between_lanes)
			shadow_trap_inject(vcpu, &(struct cpu_exception){.vector = VEC_DB, .dr6 = DR6_BS});
		else if (shadow_pvm_mend_pf(vcpu, gva_init(cr2), &refused))
			shadow_trap_inject(vcpu, &refused);
		else
			inject_page_fault(vcpu, gva_init(cr2), walk.error_code);
		break;
	case SHADOW_TRACKED_WRITE:
		trap_tracked_write(vcpu, gpa_to_gfn(walk.gpa));
		break;
	case SHADOW_FETCH_ONLY:
		trap_fetch_only(vcpu);
		break;
	case SHADOW_MMIO:
		trap_mmio(vcpu);
		break;
	case SHADOW_NO_MEMORY:
		log_error("%s (--shadow-memory)", shadow_outcome_what[outcome]);
		vm_end(vcpu->vm, VM_HOST_FAILED, STATUS_HOST_FAILURE);
		break;
	case SHADOW_TABLE_OUTSIDE:
		if (stage2_ptr(&vcpu->vm->stage2, walk.outside, 1)) {
			vm_kill(vcpu, "its page table at 0x%llx lies in an enclave's marshalling buffer",
			        (unsigned long long)gpa_raw(walk.outside));
			break;
		}
		if (vcpu_violation(vcpu, walk.outside))
			break;
		__attribute__((fallthrough));
	default:
		vm_kill(vcpu, "%s, at 0x%llx", shadow_outcome_what[outcome], (unsigned long long)cr2);
	}
}

/*
 * INT3, or INT 4 where no gate of the stub's denies it: a trap; RIP is behind its `length` bytes already. If the guest's gate
 * denies it, #GP has that RIP: of prefixes before it nothing is known.
 */
static void trap_software(struct vcpu *vcpu, uint8_t vector, unsigned length)
{
	struct cpu_state *c = &vcpu->shadow->cpu;
	const uint64_t next = c->rip;
	struct cpu_exception exc;
	int r = inject_software(c, &vcpu->vm->shadow->cpu_ops, vcpu, vector, &exc);

	counter_inc(&vcpu->counters, CTR_EXCEPTIONS_INJECTED);
	if (r == 0)
		return;
	if (r == -EFAULT) {
		c->rip = next - length;
		shadow_trap_inject(vcpu, &exc);
	} else if (r != -ENXIO || !vcpu_violation(vcpu, vcpu->shadow->nowhere)) {
		vm_kill(vcpu, "INT %u cannot be delivered: its gate or stack lies outside memory", vector);
	}
}

/*
 * AC means alignment checks only at the guest's CPL 3 and with its CR0.AM. Elsewhere, in its kernel under STAC for one, it
 * is the real CPL 3 that checks: the access is done without it. The real AC is not left clear any longer than that, for
 * POPF does not trap, and what it makes of AC is to be seen.
 */
static void trap_alignment(struct vcpu *vcpu, const struct cpu_exception *exc)
{
	struct shadow_vcpu *v = vcpu->shadow;
	struct emul_result res;

	counter_inc(&vcpu->counters, CTR_TRAP_OTHER);
	if (v->cpu.cpl == 3 && v->cpu.cr0 & CR0_AM) {
		shadow_trap_inject(vcpu, exc);
	} else if (!shadow_trap_emulate(vcpu, NULL, &res)) {
		v->without_ac = true;
		shadow_step_ask(vcpu);
	}
}

/*
 * A single step's trap comes, and the instruction is not done: between two lanes, for a page fault came there; was that the
 * guest's, then it comes again, and the trap before it. Or nothing of it has run: when an EPT violation ends an
 * instruction's first try, a CPU forgets the trap that was to come behind it (SDM vol. 3 28.3.4), but Bochs 2.7 has it before
 * the next one.
 */
static bool is_before_its_end(struct vcpu *vcpu)
{
	struct shadow_vcpu *v = vcpu->shadow;
	struct inspection insn;

	if (v->cpu.rip != v->entry_rip || !(v->stepping || v->entry_rflags & RFLAGS_TF) ||
	    !inspect_insn(&v->cpu, &vcpu->vm->shadow->cpu_ops, vcpu, &insn))
		return false;
	/* Intel's CPUs set RF then, AMD's do not. */
	if (insn.lanes && (v->cpu.rflags & RFLAGS_RF || !vcpu->vm->shadow->cpu_ops.limits.intel)) {
		v->between_lanes = v->cpu.rflags & RFLAGS_TF;
		return true;
	}
	return insn.known && !insn.stays;
}

/* RIP is behind an INT1. */
static bool is_behind_int1(struct vcpu *vcpu)
{
	uint8_t byte = 0;

	return vcpu_peek(vcpu, &vcpu->shadow->cpu, gva_init(vcpu->shadow->cpu.rip - 1), &byte) && byte == OPCODE_INT1;
}

/*
 * Whether the instruction began with TF, which alone counts (SDM vol. 3 17.3.1.4): one that was done may have cleared it, and
 * the one before may have set it. In a step of the VMM's the guest's TF is what it was.
 */
static bool is_single_step(struct vcpu *vcpu)
{
	const struct shadow_vcpu *v = vcpu->shadow;

	return (v->cpu.rflags | v->entry_rflags) & RFLAGS_TF || (!v->stepping && !is_behind_int1(vcpu));
}

/* A single step of the guest's, INT1; or the end of a step of the VMM's, and perhaps of the guest's, too. */
static void trap_debug(struct vcpu *vcpu, struct cpu_exception *exc)
{
	struct shadow_vcpu *v = vcpu->shadow;

	counter_inc(&vcpu->counters, CTR_TRAP_OTHER);
	if (v->cpu.rip == v->entry_rip || !is_behind_int1(vcpu))
		shadow_pvm_mend_int1(vcpu);
	if (is_before_its_end(vcpu)) {
		v->step_again = true;
		return;
	}
	exc->dr6 = v->hits | (is_single_step(vcpu) ? DR6_BS : 0);
	v->hits = 0;
	if (v->stepping)
		v->cpu.interrupt_shadow = false;
	if (!v->stepping || exc->dr6)
		shadow_trap_inject(vcpu, exc);
}

void shadow_trap_syscall(struct vcpu *vcpu)
{
	struct cpu_state *c = &vcpu->shadow->cpu;

	counter_inc(&vcpu->counters, CTR_TRAP_SYSCALL);
	if (c->efer & EFER_SCE) {
		emulate_syscall_entry(c, c->rip);
		return;
	}
	c->rip -= 2; /* at the SYSCALL itself */
	inject_ud(vcpu);
}

void shadow_trap_handle(struct vcpu *vcpu, uint64_t vector, uint32_t error)
{
	struct cpu_exception exc = {
	    .vector = vector, .has_error = vector < 32 && VECTORS_WITH_ERROR >> vector & 1, .error = error};

	switch (vector) {
	case VEC_PF:
		trap_page_fault(vcpu, error, vcpu->run->s.regs.sregs.cr2);
		break;
	case VEC_TS:
	case VEC_NP:
	case VEC_SS:
	case VEC_GP:
		counter_inc(&vcpu->counters, CTR_TRAP_GP);
		trap_refused(vcpu, &exc);
		break;
	case VEC_UD:
		counter_inc(&vcpu->counters, CTR_TRAP_UD);
		trap_refused(vcpu, &exc);
		break;
	case VEC_BP:
		counter_inc(&vcpu->counters, CTR_TRAP_OTHER);
		trap_software(vcpu, VEC_BP, 1);
		break;
	case VEC_OF: /* INTO is not there in 64-bit code */
		counter_inc(&vcpu->counters, CTR_TRAP_OTHER);
		trap_software(vcpu, VEC_OF, 2);
		break;
	case VEC_XM:
		counter_inc(&vcpu->counters, CTR_TRAP_OTHER);
		if (vcpu->shadow->cpu.cr4 & CR4_OSXMMEXCPT)
			shadow_trap_inject(vcpu, &exc);
		else
			inject_ud(vcpu); /* SDM vol. 3, 2.5: kvm_pvm has the host's bit */
		break;
	case VEC_DB:
		trap_debug(vcpu, &exc);
		break;
	case VEC_AC:
		trap_alignment(vcpu, &exc);
		break;
	case STUB_VECTOR_KICK:
		break; /* what it was sent for is done on the way back */
	case VEC_NMI:
	case VEC_DF:
	case VEC_MC:
		log_error("the stub took exception %llu", (unsigned long long)vector);
		vm_end(vcpu->vm, VM_HOST_FAILED, STATUS_HOST_FAILURE);
		break;
	default:
		counter_inc(&vcpu->counters, CTR_TRAP_OTHER);
		shadow_trap_inject(vcpu, &exc);
	}
}
