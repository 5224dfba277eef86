/* SPDX-License-Identifier: MIT */
/* External interrupts, without an interrupt controller in the kernel: those that wait for the guest to take them. */
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
