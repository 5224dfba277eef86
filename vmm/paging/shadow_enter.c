/* SPDX-License-Identifier: MIT */
/* A shadow mode vCPU's way into the guest, and out of it with a trap: who comes first and who next. */
#include <errno.h>
#include <gnomon/x86.h>
#include <string.h>
#include <sys/ioctl.h>

#include "kvm/cpu_regs.h"
#include "vm/reclaim.h"
#include "paging/shadow_vm.h"
#include "vm/vcpu.h"
#include "cpu/real.h"
#include "stub/stub.h"

/*
 * An interrupted vCPU goes on where it was, unless something waits for it: then a real interrupt takes it into the
 * stub before the guest's next instruction, or the event that KVM holds does, and the trap comes as any other.
 */
static void pull_out(struct vcpu *vcpu)
{
	struct shadow_vm *s = vcpu->vm->shadow;
	struct shadow_vcpu *v = vcpu->shadow;
	const struct kvm_interrupt irq = {.irq = STUB_VECTOR_KICK};

	vcpu->run->request_interrupt_window = 0;
	v->leaving = v->flushes != shadow_flushes(s->mmu) || vcpu_pending_vector(vcpu) >= 0 ||
	             atomic_load(&vcpu->vm->paused);
	if (!v->leaving)
		return;
	if (v->recycles != s->recycles) {
		const struct shadow_view view = shadow_vcpu_view(vcpu);
		bool built;

		/* CR3 points into cleared memory: the way into the stub needs a root again. */
		if (!shadow_root(s->mmu, &vcpu->counters, &view, &v->root, &built)) {
			vm_end(vcpu->vm, VM_HOST_FAILED, STATUS_HOST_FAILURE);
			return;
		}
		vcpu->run->s.regs.sregs.cr3 = maddr_raw(v->root);
		/* KVM would queue again what is in there, though it may have been delivered since. */
		memset(vcpu->run->s.regs.sregs.interrupt_bitmap, 0, sizeof(vcpu->run->s.regs.sregs.interrupt_bitmap));
		vcpu->run->kvm_dirty_regs |= KVM_SYNC_X86_SREGS;
		v->recycles = s->recycles;
	}
	if (vcpu->run->ready_for_interrupt_injection &&
	    (ioctl(vcpu->fd, KVM_INTERRUPT, &irq) == 0 || errno == EEXIST)) {
		v->kick_queued = true;
		return;
	}
	vcpu->run->request_interrupt_window = 1;
}

/* Instructions that are run one at a time before the requests are looked at again. */
#define STEPS_AT_ONCE 256

/*
 * Interrupts, and instructions that must not be left to the CPU. False: the guest does not go on yet; the run loop has to
 * look at the requests, or at a halt.
 */
static bool is_ready(struct vcpu *vcpu)
{
	const struct cpu_state *c = &vcpu->shadow->cpu;

	for (int n = 0; n < STEPS_AT_ONCE; n++) {
		shadow_trap_interrupts(vcpu);
		if (n && (c->halted || atomic_load(&vcpu->requests)))
			return false;
		if (!real_can_enter(c))
			shadow_trap_inject(vcpu, &(struct cpu_exception){.vector = VEC_GP, .has_error = true});
		else if (shadow_step_due(vcpu))
			shadow_step_supervised(vcpu);
		else
			return true;
	}
	return false;
}

bool shadow_vcpu_enter(struct vcpu *vcpu)
{
	struct shadow_vcpu *v = vcpu->shadow;
	bool ok = true;

	shadow_vcpu_lock(vcpu);
	if (v->where == SHADOW_INTERRUPTED)
		pull_out(vcpu);
	else
		ok = is_ready(vcpu) && shadow_vcpu_load(vcpu);
	atomic_store(&v->in_guest, ok);
	shadow_vcpu_unlock(vcpu);
	return ok;
}

void shadow_vcpu_trap(struct vcpu *vcpu)
{
	shadow_vcpu_lock(vcpu);
	shadow_vcpu_take_trap(vcpu);
	shadow_step_run(vcpu);
	shadow_vcpu_unlock(vcpu);
}
