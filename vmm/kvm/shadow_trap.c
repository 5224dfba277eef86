/* SPDX-License-Identifier: MIT */
/*
 * What a trap of the deprivileged guest means: a fault the shadow owes it, an instruction
 * to emulate, an exception of its own to reflect, or its end.
 */
#include <errno.h>
#include <gnomon/x86.h>
#include <string.h>

#include "kvm/reclaim.h"
#include "kvm/shadow_vm.h"
#include "kvm/vcpu.h"
#include "trap/emulate.h"
#include "trap/inject.h"
#include "trap/stub.h"

/* Vectors whose frame carries an error code, APM2 8.2. */
#define VECTORS_WITH_ERROR                                                                                             \
	(1u << VEC_DF | 1u << VEC_TS | 1u << VEC_NP | 1u << VEC_SS | 1u << VEC_GP | 1u << VEC_PF | 1u << VEC_AC)

/* The guest's descriptor tables or stack were taken from it: said, and the end. */
static bool violated(struct vcpu *vcpu, enum inject_outcome outcome)
{
	return outcome == INJECT_OUTSIDE_MEMORY && vcpu_violation(vcpu, vcpu->shadow->nowhere);
}

static void inject(struct vcpu *vcpu, const struct cpu_exception *exc)
{
	enum inject_outcome outcome = inject_exception(&vcpu->shadow->cpu, &vcpu->vm->shadow->cpu_ops, vcpu, exc);

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

/* Emulates the instruction at RIP. `real` is what the CPU reported, for an instruction that really is at fault. */
static void emulate(struct vcpu *vcpu, const struct cpu_exception *real)
{
	struct emul_result res;
	enum emul_outcome outcome = emulate_insn(&vcpu->shadow->cpu, &vcpu->vm->shadow->cpu_ops, vcpu, &res);

	counter_inc(&vcpu->counters, CTR_INSNS_EMULATED);
	switch (outcome) {
	case EMUL_DONE:
	case EMUL_HALT:
		break;
	case EMUL_EXCEPTION:
		inject(vcpu, &res.exc);
		break;
	case EMUL_OUTSIDE_MEMORY:
		if (vcpu_violation(vcpu, vcpu->shadow->nowhere))
			break;
		vm_kill(vcpu, "the instruction at 0x%llx leads outside the guest's memory, to guest physical 0x%llx",
		        (unsigned long long)vcpu->shadow->cpu.rip, (unsigned long long)gpa_raw(vcpu->shadow->nowhere));
		break;
	case EMUL_HOST_ERROR:
		log_errno(-res.error, "emulation on vCPU %d", vcpu->id);
		vm_end(vcpu->vm, VM_HOST_FAILED, STATUS_HOST_FAILURE);
		break;
	default:
		if (real && outcome == EMUL_UNSUPPORTED)
			inject(vcpu, real);
		else
			vm_kill(vcpu, "the instruction at RIP cannot be emulated: %s",
			        res.why ? res.why : emul_outcome_describe(outcome));
	}
}

/* SYSCALL ended at LSTAR with CPL 3 on a host that does not change the level (host-facts, section 3). */
static bool is_syscall_fetch(struct vcpu *vcpu, uint64_t cr2)
{
	struct cpu_state *c = &vcpu->shadow->cpu;
	struct cpu_exception exc;
	uint8_t insn[2];

	if (c->rip != stub_address(stub_syscall) || cr2 != c->rip)
		return false;
	return vcpu->vm->shadow->cpu_ops.read(vcpu, gva_init(c->gpr[GPR_RCX] - 2), insn, 2,
	                                      ACCESS_FETCH | (c->cpl == 3 ? ACCESS_USER : 0), &exc) == 0 &&
	       insn[0] == 0x0f && insn[1] == 0x05;
}

static void trap_page_fault(struct vcpu *vcpu, uint32_t error, uint64_t cr2)
{
	const struct shadow_view view = shadow_vcpu_view(vcpu);
	const struct walk_access access = {
	    .user = view.user, .write = error & PFEC_W, .fetch = error & PFEC_I, .ac = view.ac};
	enum shadow_outcome outcome;
	struct walk walk;

	if (is_syscall_fetch(vcpu, cr2)) {
		vcpu->shadow->cpu.rip = vcpu->shadow->cpu.gpr[GPR_RCX];
		vcpu->shadow->cpu.rflags =
		    (vcpu->shadow->cpu.gpr[GPR_R11] & ~(uint64_t)RFLAGS_IF) | (vcpu->shadow->cpu.rflags & RFLAGS_IF);
		shadow_trap_syscall(vcpu);
		return;
	}
	counter_inc(&vcpu->counters, CTR_TRAP_PF);
	outcome = shadow_fault(&vcpu->vm->shadow->mmu, &view, gva_init(cr2), access, &walk);
	switch (outcome) {
	case SHADOW_FILLED:
		break;
	case SHADOW_GUEST_FAULT:
		inject(vcpu, &(struct cpu_exception){
		                 .vector = VEC_PF, .has_error = true, .error = walk.error_code, .cr2 = gva_init(cr2)});
		break;
	case SHADOW_TRACKED_WRITE:
	case SHADOW_FETCH_ONLY:
	case SHADOW_MMIO:
		emulate(vcpu, NULL);
		break;
	case SHADOW_NO_MEMORY:
		log_error("%s (--shadow-memory)", shadow_outcome_what[outcome]);
		vm_end(vcpu->vm, VM_HOST_FAILED, STATUS_HOST_FAILURE);
		break;
	case SHADOW_TABLE_OUTSIDE:
		if (vcpu_violation(vcpu, walk.outside))
			break;
		__attribute__((fallthrough));
	default:
		vm_kill(vcpu, "%s, at 0x%llx", shadow_outcome_what[outcome], (unsigned long long)cr2);
	}
}

/* INT3: a trap; RIP is behind it already. */
static void trap_breakpoint(struct vcpu *vcpu)
{
	struct cpu_state *c = &vcpu->shadow->cpu;
	const uint64_t next = c->rip;
	struct cpu_exception exc;
	int r = inject_software(c, &vcpu->vm->shadow->cpu_ops, vcpu, VEC_BP, &exc);

	counter_inc(&vcpu->counters, CTR_EXCEPTIONS_INJECTED);
	if (r == 0)
		return;
	if (r == -EFAULT) {
		c->rip = next - 1;
		inject(vcpu, &exc);
	} else if (r != -ENXIO || !vcpu_violation(vcpu, vcpu->shadow->nowhere)) {
		vm_kill(vcpu, "INT3 cannot be delivered: its gate or stack lies outside memory");
	}
}

/* An opcode the CPU refuses at CPL 3: the guest kernel may be entitled to it, and INT n ends here on some hosts. */
static void trap_invalid_opcode(struct vcpu *vcpu)
{
	static const struct cpu_exception ud = {.vector = VEC_UD};

	emulate(vcpu, &ud);
}

/*
 * AC means alignment checks only at the guest's CPL 3 and with its CR0.AM. Elsewhere, in its kernel under STAC for one,
 * it is the real CPL 3 that checks where the host's own CR0.AM is in force (kvm_pvm): the real AC rests until the
 * guest's is clear again.
 */
static void trap_alignment(struct vcpu *vcpu, const struct cpu_exception *exc)
{
	struct shadow_vcpu *v = vcpu->shadow;

	counter_inc(&vcpu->counters, CTR_TRAP_OTHER);
	if (v->ac_hidden || (v->cpu.cpl == 3 && v->cpu.cr0 & CR0_AM))
		inject(vcpu, exc);
	else
		v->ac_hidden = true;
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
	inject(vcpu, &(struct cpu_exception){.vector = VEC_UD});
}

/*
 * The kick came before the instruction behind STI, which is still to be run before an interrupt: HLT above all.
 * What cannot be executed here would not have trapped either, and no interrupt is lost by coming before it.
 */
static void end_interrupt_shadow(struct vcpu *vcpu)
{
	struct cpu_state *c = &vcpu->shadow->cpu;
	struct emul_result res;
	enum emul_outcome outcome = emulate_insn(c, &vcpu->vm->shadow->cpu_ops, vcpu, &res);

	if (outcome == EMUL_EXCEPTION)
		inject(vcpu, &res.exc);
	else if (outcome == EMUL_HOST_ERROR)
		vm_end(vcpu->vm, VM_HOST_FAILED, STATUS_HOST_FAILURE);
	c->interrupt_shadow = false;
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
		emulate(vcpu, NULL);
		break;
	case VEC_UD:
		counter_inc(&vcpu->counters, CTR_TRAP_UD);
		trap_invalid_opcode(vcpu);
		break;
	case VEC_BP:
		counter_inc(&vcpu->counters, CTR_TRAP_OTHER);
		trap_breakpoint(vcpu);
		break;
	case VEC_DB:
		counter_inc(&vcpu->counters, CTR_TRAP_OTHER);
		exc.dr6 = 1 << 14; /* BS: hardware breakpoints are not offered, so a #DB is a single step */
		inject(vcpu, &exc);
		break;
	case VEC_AC:
		trap_alignment(vcpu, &exc);
		break;
	case STUB_VECTOR_KICK:
		if (vcpu->shadow->cpu.interrupt_shadow)
			end_interrupt_shadow(vcpu);
		break; /* what it was sent for is done on the way back */
	case VEC_NMI:
	case VEC_DF:
	case VEC_MC:
		log_error("the stub took exception %llu", (unsigned long long)vector);
		vm_end(vcpu->vm, VM_HOST_FAILED, STATUS_HOST_FAILURE);
		break;
	default:
		counter_inc(&vcpu->counters, CTR_TRAP_OTHER);
		inject(vcpu, &exc);
	}
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
