/* SPDX-License-Identifier: MIT */
/*
 * What other threads ask of a vCPU, and how it waits for that outside KVM_RUN: requests, kicks, interrupts. There is no
 * interrupt controller in the kernel.
 */
#include <signal.h>
#include <sys/mman.h>

#include "base/nudge.h"
#include "vm/vcpu.h"

void vcpu_request(struct vcpu *vcpu, unsigned bits)
{
	atomic_fetch_or(&vcpu->requests, bits);
	vcpu_kick(vcpu);
}

void vcpu_kick(struct vcpu *vcpu)
{
	const struct vcpu_errand *errand;

	pthread_mutex_lock(&vcpu->lock);
	/* Order against the run loop's clear-then-look: see the picture in vcpu.h. Not mapped yet: it will look. */
	if (vcpu->run != MAP_FAILED)
		__atomic_store_n(&vcpu->run->immediate_exit, 1, __ATOMIC_SEQ_CST);
	pthread_cond_broadcast(&vcpu->wake);
	errand = atomic_load(&vcpu->errand);
	if (errand)
		errand->hurry(vcpu, errand->ctx);
	if (vcpu->alive && !pthread_equal(vcpu->thread, pthread_self()))
		pthread_kill(vcpu->thread, SIG_NUDGE);
	pthread_mutex_unlock(&vcpu->lock);
}

bool vcpu_is_wanted(const struct vcpu *vcpu)
{
	return atomic_load(&vcpu->requests) || atomic_load(&vcpu->vm->paused) || vcpu_pending_vector(vcpu) >= 0;
}

bool vcpu_must_park(const struct vcpu *vcpu)
{
	return atomic_load(&vcpu->vm->paused) && !(atomic_load(&vcpu->requests) & REQ_END);
}

bool vcpu_is_parked(struct vcpu *vcpu)
{
	bool parked;

	pthread_mutex_lock(&vcpu->lock);
	parked = atomic_load(&vcpu->parked);
	pthread_mutex_unlock(&vcpu->lock);
	return parked;
}

/* What ends a halt. REQ_INTERRUPT alone does not: its vector may have been delivered before the bit was seen. */
static bool wake_up_due(struct vcpu *vcpu)
{
	return (atomic_load(&vcpu->requests) & REQ_LEAVE) || vcpu_pending_vector(vcpu) >= 0;
}

void vcpu_wait(struct vcpu *vcpu)
{
	pthread_mutex_lock(&vcpu->lock);
	atomic_store(&vcpu->parked, true);
	while (vcpu_must_park(vcpu) || !wake_up_due(vcpu))
		pthread_cond_wait(&vcpu->wake, &vcpu->lock);
	atomic_store(&vcpu->parked, false);
	pthread_mutex_unlock(&vcpu->lock);
}

void vcpu_wake(struct vcpu *vcpu)
{
	pthread_mutex_lock(&vcpu->lock);
	pthread_cond_broadcast(&vcpu->wake);
	pthread_mutex_unlock(&vcpu->lock);
}

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
