/* SPDX-License-Identifier: MIT */
/* A shadow mode vCPU's first state, and its way out of the guest: what each trap finds. The way in: shadow_enter.c. */
#include <errno.h>
#include <gnomon/x86.h>
#include <string.h>
#include <sys/ioctl.h>

#include "kvm/cpu_regs.h"
#include "vm/reclaim.h"
#include "paging/shadow_vm.h"
#include "vm/vcpu.h"
#include "cpu/inject.h"
#include "stub/stub.h"

int shadow_vcpu_begin(struct vcpu *vcpu, const struct cpu_state *state)
{
	struct shadow_vcpu *v = vcpu->shadow;

	*v = (struct shadow_vcpu){.cpu = *state, .where = SHADOW_AT_VMM};
	vcpu->run->kvm_valid_regs = KVM_SYNC_X86_REGS | KVM_SYNC_X86_SREGS;
	vcpu->run->kvm_dirty_regs = 0;
	vcpu->run->cr8 = 0;
	/* Its TLB is empty: nothing of the shadow may lag for it. */
	shadow_flushed(vcpu->vm->shadow->mmu, &vcpu->counters, gpa_init(state->cr3 & PTE_ADDR));
	return shadow_real_start(vcpu);
}

/* --- out --- */

/* The guest ran again, so the leave code stored the edits that rode with it; reclaim may have queued more since. */
static void riding_edits_stored(struct vcpu *vcpu)
{
	struct shadow *mmu = vcpu->vm->shadow->mmu;
	/* A drop meanwhile took all of them away. */
	const unsigned queued = shadow_nr_edits(mmu), riding = vcpu->shadow->riding;

	vcpu->shadow->riding = 0;
	shadow_edits_stored(mmu, riding < queued ? riding : queued);
}

/*
 * The flags on the stub's stack after a trap. A fault pushes RF as 1, whatever it was, and the guest may never see this
 * fault. What the guest has is what it went on with, if that instruction is the one that faults; else an instruction that
 * was done has cleared it.
 */
static uint64_t trap_rflags(const struct vcpu *vcpu, const struct stub_frame *f)
{
	const struct shadow_vcpu *v = vcpu->shadow;

	if (!inject_is_fault(f->vector))
		return f->rflags;
	return (f->rflags & ~(uint64_t)RFLAGS_RF) | (f->rip == v->entry_rip ? v->entry_rflags & RFLAGS_RF : 0);
}

static void capture_common(struct vcpu *vcpu, uint64_t rip, uint64_t real_rflags, uint64_t rsp)
{
	struct shadow_vcpu *v = vcpu->shadow;
	const uint64_t rflags = shadow_vcpu_rflags(vcpu, real_rflags);

	cpu_regs_gprs_from_kvm(&v->cpu, &vcpu->run->s.regs.regs);
	v->cpu.gpr[GPR_RSP] = rsp;
	if (rip != v->cpu.rip)
		v->cpu.interrupt_shadow = false; /* the instruction behind STI ran */
	v->cpu.rip = rip;
	if (v->cpu.cpl == 0 && ~v->cpu.rflags & rflags & RFLAGS_AC)
		v->popf_sets_ac = true;
	if (v->cpu.cpl == 3 || !(rflags & RFLAGS_AC))
		v->programs_ac = rflags & RFLAGS_AC;
	v->cpu.rflags = rflags;
	v->cpu.seg[SEG_FS].base = vcpu->run->s.regs.sregs.fs.base;
	v->cpu.seg[SEG_GS].base = vcpu->run->s.regs.sregs.gs.base;
	v->real.fs = vcpu->run->s.regs.sregs.fs;
	v->real.gs = vcpu->run->s.regs.sregs.gs;
	v->where = SHADOW_AT_VMM;
	riding_edits_stored(vcpu);
}

/* After the edits are stored, before anything is changed: the shadow must be in step. */
static void audit(struct vcpu *vcpu)
{
	struct shadow_vm *s = vcpu->vm->shadow;
	char text[256];

	if (!vcpu->vm->paging_config.audit || shadow_nr_edits(s->mmu))
		return;
	if (!shadow_audit(s->mmu, text, sizeof(text)))
		bug(__FILE__, __LINE__, text);
	counter_inc(&vcpu->counters, CTR_SHADOW_AUDITS);
}

/*
 * Where the guest or the stub's way in was interrupted, KVM may hold an event that it has not delivered yet, and of a
 * soft one (INT3) it does not even tell. So nothing is changed there: see pull_out().
 */
void shadow_vcpu_interrupted(struct vcpu *vcpu)
{
	const struct kvm_regs *r = &vcpu->run->s.regs.regs;
	const bool in_stub = !(vcpu->run->s.regs.sregs.cs.selector & 3);

	shadow_vcpu_lock(vcpu);
	vcpu->shadow->where = SHADOW_INTERRUPTED;
	if (in_stub && r->rip >= stub_address(stub_traps_end)) {
		vcpu->shadow->where = SHADOW_AT_VMM;
		vcpu->shadow->flushes = ~0ull; /* it may not have come to loading CR3 */
	}
	shadow_vcpu_unlock(vcpu);
}

/*
 * A trap came before the kick that pull_out() had queued: at an instruction that traps KVM delivers that trap first now
 * and then (seen on kvm_pvm), and keeps the interrupt for the next entry, which is the leave code. Nothing may come
 * there: it is taken back. What the kick was for is done on the way in like after any trap.
 */
static void take_back_kick(struct vcpu *vcpu)
{
	struct kvm_vcpu_events events;

	vcpu->shadow->kick_queued = false;
	if (ioctl(vcpu->fd, KVM_GET_VCPU_EVENTS, &events) == 0) {
		if (!events.interrupt.injected)
			return;
		events.interrupt.injected = 0;
		events.flags = 0;
		if (ioctl(vcpu->fd, KVM_SET_VCPU_EVENTS, &events) == 0)
			return;
	}
	log_errno(errno, "an interrupt cannot be taken back from KVM");
	vm_end(vcpu->vm, VM_HOST_FAILED, STATUS_HOST_FAILURE);
}

/*
 * A trap at CPL 0, in the stub itself. A kick that came on another trap's way in, as above: that way is gone on, its
 * trap is the one that counts. Anything else is a bug of the VMM or of the host, never the guest's doing.
 */
static void stub_trapped(struct vcpu *vcpu)
{
	struct kvm_regs *r = &vcpu->run->s.regs.regs;
	const uint64_t top = stub_iret_rsp(vcpu->id) + 5 * sizeof(uint64_t);
	const uint8_t *end = (const uint8_t *)(stub_frame(&vcpu->vm->shadow->stub, vcpu->id) + 1);
	const struct stub_frame *f = (const void *)(end - (top - r->rsp));

	if (f->vector == STUB_VECTOR_KICK && f->rip < stub_address(stub_traps_end)) {
		vcpu->shadow->kick_queued = false;
		vcpu->shadow->where = SHADOW_INTERRUPTED;
		r->rip = f->rip;
		r->rsp = f->rsp;
		r->rflags = f->rflags;
		vcpu->run->kvm_dirty_regs |= KVM_SYNC_X86_REGS;
		return;
	}
	log_error("vCPU %d: exception %llu (error 0x%llx, CR2 0x%llx) in the stub at 0x%llx", vcpu->id,
		  (unsigned long long)f->vector, (unsigned long long)f->error,
		  (unsigned long long)vcpu->run->s.regs.sregs.cr2, (unsigned long long)f->rip);
	vm_end(vcpu->vm, VM_HOST_FAILED, STATUS_HOST_FAILURE);
}

void shadow_vcpu_take_trap(struct vcpu *vcpu)
{
	const struct stub_frame *f = stub_frame(&vcpu->vm->shadow->stub, vcpu->id);
	const struct kvm_regs *r = &vcpu->run->s.regs.regs;

	switch (vcpu->run->io.port) {
	case STUB_PORT_TRAP:
		if (r->rsp != stub_iret_rsp(vcpu->id) - 2 * sizeof(uint64_t)) {
			stub_trapped(vcpu);
			break;
		}
		if (f->vector == STUB_VECTOR_KICK)
			vcpu->shadow->kick_queued = false;
		else if (vcpu->shadow->kick_queued)
			take_back_kick(vcpu);
		capture_common(vcpu, f->rip, trap_rflags(vcpu, f), f->rsp);
		audit(vcpu);
		shadow_trap_handle(vcpu, f->vector, f->error);
		break;
	case STUB_PORT_SYSCALL:
		if (vcpu->shadow->kick_queued)
			take_back_kick(vcpu);
		capture_common(vcpu, r->rcx, r->r11, r->rsp);
		audit(vcpu);
		shadow_trap_syscall(vcpu);
		break;
	default:
		BUG_ON(true); /* the guest has no port access of its own */
	}
}
