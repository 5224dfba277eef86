/* SPDX-License-Identifier: MIT */
/*
 * External interrupts without an interrupt controller in the kernel: KVM_INTERRUPT
 * from the vCPU's own thread when the guest can take one, an interrupt window when
 * it cannot yet (KVM API 4.16 and 5, request_interrupt_window).
 */
#include <errno.h>
#include <sys/ioctl.h>

#include "vm/vcpu.h"

void vcpu_interrupt(struct vcpu *vcpu, int vector)
{
	BUG_ON(vector < 32 || vector > 255);
	atomic_fetch_or(&vcpu->vectors[vector / 64], 1ull << vector % 64);
	vcpu_request(vcpu, REQ_INTERRUPT);
}

int vcpu_pending_vector(const struct vcpu *vcpu)
{
	for (int i = 3; i >= 0; i--) {
		uint64_t v = atomic_load(&vcpu->vectors[i]);

		if (v)
			return i * 64 + 63 - __builtin_clzll(v);
	}
	return -1;
}

void vcpu_clear_vector(struct vcpu *vcpu, int vector)
{
	atomic_fetch_and(&vcpu->vectors[vector / 64], ~(1ull << vector % 64));
}

void vcpu_inject_interrupts(struct vcpu *vcpu)
{
	int vector = vcpu_pending_vector(vcpu);
	struct kvm_interrupt irq = {.irq = vector};

	vcpu->run->request_interrupt_window = vector >= 0;
	if (vector < 0 || !vcpu->run->ready_for_interrupt_injection)
		return;
	if (ioctl(vcpu->fd, KVM_INTERRUPT, &irq) < 0) {
		if (errno == EEXIST)
			return; /* one waits in KVM already: the window brings us back */
		log_errno(errno, "KVM_INTERRUPT");
		vm_end(vcpu->vm, VM_HOST_FAILED, STATUS_HOST_FAILURE);
		return;
	}
	vcpu_clear_vector(vcpu, vector);
	vcpu->run->request_interrupt_window = vcpu_pending_vector(vcpu) >= 0;
	counter_inc(&vcpu->counters, CTR_INTERRUPTS_INJECTED);
}
