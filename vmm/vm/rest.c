/* SPDX-License-Identifier: MIT */
#include "vm/rest.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "vm/reclaim.h"
#include "vm/vcpu.h"

/*
 * While an exception is on its way, or a device is at work, the guest has to run on before it can stand still: so long
 * at least, and as long as the last try held up those vCPUs that were ready.
 */
#define TRY_US   200
#define TRIES_US 2000000

/* A vCPU that is not live has no state to change: it comes when it starts. */
static bool is_half_done(const struct vcpu *vcpu)
{
	return vcpu->live && vcpu->unsettled;
}

/* Every vCPU is parked between two instructions. -EAGAIN. */
static int check_vcpus(struct vm *vm, char *ret_why)
{
	for (int i = 0; i < vm->nr_vcpus; i++) {
		const struct vcpu *vcpu = vm->vcpu[i];

		if (!atomic_load(&vcpu->parked))
			snprintf(ret_why, VM_WHY_MAX, "vCPU %d is held up by a device: does anybody read the console?",
			         i);
		else if (is_half_done(vcpu))
			snprintf(ret_why, VM_WHY_MAX, "vCPU %d has an instruction half done: %s", i, vcpu->unsettled);
		else
			continue;
		return -EAGAIN;
	}
	return 0;
}

/* A client has stopped the guest: a vCPU that has to run on first cannot. What else is not ready may be so in a moment. */
static void tell_of_stop(const struct vm *vm, char *ret_why)
{
	const size_t len = strlen(ret_why);

	if (atomic_load(&vm->paused))
		snprintf(ret_why + len, VM_WHY_MAX - len, "; the guest is stopped and cannot run on: \"cont\" first");
}

static int call_paused(struct vm *vm, vm_rest_fn fn, void *ctx, char *ret_why)
{
	int r = check_vcpus(vm, ret_why);

	if (r < 0)
		return r;
	r = vm_lock_paging(vm);
	if (r < 0) {
		snprintf(ret_why, VM_WHY_MAX, "Guest memory is being reclaimed or released, or a vCPU is busy");
		return r;
	}
	r = fn(vm, ctx, ret_why);
	vm_unlock_paging(vm);
	return r;
}

/* One try, and how long it held the VM up. -EAGAIN: a vCPU is not ready for it. */
static int try(struct vm *vm, vm_rest_fn fn, void *ctx, uint64_t *ret_us, char *ret_why)
{
	const int64_t start = clock_us();
	int vcpu, r = vm_pause(vm, &vcpu);

	if (r < 0) {
		snprintf(ret_why, VM_WHY_MAX, "vCPU %d does not leave the guest", vcpu);
		*ret_us = clock_us() - start;
		return r;
	}
	r = call_paused(vm, fn, ctx, ret_why);
	vm_resume(vm);
	*ret_us = clock_us() - start;
	return r;
}

static void run_on(uint64_t held_up_us)
{
	const uint64_t us = held_up_us > TRY_US ? held_up_us : TRY_US;
	const struct timespec t = {.tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000};

	nanosleep(&t, NULL);
}

int vm_at_rest(struct vm *vm, vm_rest_fn fn, void *ctx, uint64_t *ret_us, char *ret_why)
{
	const int64_t start = clock_us();

	for (;;) {
		const int r = try(vm, fn, ctx, ret_us, ret_why);

		if (r != -EAGAIN)
			return r;
		if (vm_has_ended(vm) || clock_us() - start > TRIES_US) {
			tell_of_stop(vm, ret_why);
			return -EBUSY;
		}
		run_on(*ret_us);
	}
}

/* The VM is paused. A vCPU that is held up by a device has completed its instruction's access when it parks. */
static bool has_half_done(const struct vm *vm)
{
	for (int i = 0; i < vm->nr_vcpus; i++)
		if (atomic_load(&vm->vcpu[i]->parked) && is_half_done(vm->vcpu[i]))
			return true;
	return false;
}

int vm_pause_at_rest(struct vm *vm, int *ret_vcpu)
{
	const int64_t start = clock_us();

	for (;;) {
		const int64_t try = clock_us();
		const int r = vm_pause(vm, ret_vcpu);

		if (r < 0 || !has_half_done(vm) || vm_has_ended(vm) || clock_us() - start > TRIES_US)
			return r;
		vm_resume(vm);
		run_on((uint64_t)(clock_us() - try));
	}
}
