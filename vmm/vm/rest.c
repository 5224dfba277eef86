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

/* Every vCPU is parked between two instructions. One that is not live has no state to change: it comes when it starts. -EAGAIN. */
static int check_vcpus(struct vm *vm, char *ret_why)
{
	for (int i = 0; i < vm->nr_vcpus; i++) {
		const struct vcpu *vcpu = vm->vcpu[i];

		if (!atomic_load(&vcpu->parked))
			snprintf(ret_why, VM_WHY_MAX, "vCPU %d is held up by a device: does anybody read the console?",
			         i);
		else if (vcpu->live && vcpu->unsettled)
			snprintf(ret_why, VM_WHY_MAX, "vCPU %d has an instruction half done: %s", i, vcpu->unsettled);
		else
			continue;
		return -EAGAIN;
	}
	return 0;
}

/* A vCPU of a stopped guest cannot run on until it is ready. */
static bool is_stopped(const struct vm *vm, char *ret_why)
{
	const size_t len = strlen(ret_why);

	if (!atomic_load(&vm->paused))
		return false;
	snprintf(ret_why + len, VM_WHY_MAX - len, "; the guest is stopped and cannot run on: \"cont\" first");
	return true;
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

static void run_on(uint64_t us)
{
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
		if (vm_has_ended(vm) || is_stopped(vm, ret_why) || clock_us() - start > TRIES_US)
			return -EBUSY;
		run_on(*ret_us > TRY_US ? *ret_us : TRY_US);
	}
}
