/* SPDX-License-Identifier: MIT */
#include "paging/switch.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "paging/nested.h"
#include "paging/shadow.h"
#include "vm/reclaim.h"
#include "vm/vcpu.h"

const struct paging_ops *paging_by_name(const char *name)
{
	static const struct paging_ops *const modes[] = {&paging_nested, &paging_shadow};

	for (size_t i = 0; i < sizeof(modes) / sizeof(*modes); i++)
		if (strcmp(name, modes[i]->name) == 0)
			return modes[i];
	return NULL;
}

/* Every vCPU is parked between two instructions. One that is not live has no state to change: it comes when it starts. -EAGAIN. */
static int check_vcpus(struct vm *vm, char *ret_why)
{
	for (int i = 0; i < vm->nr_vcpus; i++) {
		const struct vcpu *vcpu = vm->vcpu[i];

		if (!atomic_load(&vcpu->parked))
			snprintf(ret_why, PAGING_WHY_MAX,
			         "vCPU %d is held up by a device: does anybody read the console?", i);
		else if (vcpu->live && vcpu->unsettled)
			snprintf(ret_why, PAGING_WHY_MAX, "vCPU %d has an instruction half done: %s", i, vcpu->unsettled);
		else
			continue;
		return -EAGAIN;
	}
	return 0;
}

static int get_states(struct vm *vm, struct cpu_state *ret_state, char *ret_why)
{
	for (int i = 0; i < vm->nr_vcpus; i++) {
		const int r = vm->vcpu[i]->live ? vm->paging->get_state(vm->vcpu[i], &ret_state[i]) : 0;

		if (r < 0) {
			snprintf(ret_why, PAGING_WHY_MAX, "KVM does not tell the state of vCPU %d", i);
			return r;
		}
	}
	return 0;
}

static int set_states(struct vm *vm, const struct paging_ops *mode, const struct cpu_state *state, char *ret_why)
{
	for (int i = 0; i < vm->nr_vcpus; i++) {
		const int r = vm->vcpu[i]->live ? mode->set_state(vm->vcpu[i], &state[i]) : 0;

		if (r < 0) {
			snprintf(ret_why, PAGING_WHY_MAX, "KVM refuses the state of vCPU %d", i);
			return r;
		}
	}
	return 0;
}

static int check_guest(struct vm *vm, const struct paging_ops *to, const struct cpu_state *state, char *ret_why)
{
	for (int i = 0; i < vm->nr_vcpus; i++) {
		const char *refusal = vm->vcpu[i]->live ? to->refuses(vm->vcpu[i], &state[i]) : NULL;

		if (refusal) {
			snprintf(ret_why, PAGING_WHY_MAX, "The guest cannot go on with %s paging: vCPU %d: %s", to->name,
			         i, refusal);
			return -ENOTSUP;
		}
	}
	return 0;
}

/* From the mode that runs to one that is made. */
static int hand_over(struct vm *vm, const struct paging_ops *to, struct cpu_state *state, char *ret_why)
{
	char why[PAGING_WHY_MAX];
	int r = get_states(vm, state, ret_why);

	if (r == 0)
		r = check_guest(vm, to, state, ret_why);
	if (r < 0)
		return r;
	r = set_states(vm, to, state, ret_why);
	if (r < 0 && set_states(vm, vm->paging, state, why) < 0) {
		log_error("%s, and after that: %s", ret_why, why);
		vm_end(vm, VM_HOST_FAILED, STATUS_HOST_FAILURE);
	}
	return r;
}

static int change(struct vm *vm, const struct paging_ops *to, char *ret_why)
{
	const struct paging_ops *from = vm->paging;
	struct cpu_state *state = calloc(vm->nr_vcpus, sizeof(*state));
	const char *why = "the host has no memory";
	int r = state ? to->create(vm, &why) : -ENOMEM;

	if (r < 0) {
		snprintf(ret_why, PAGING_WHY_MAX, "The VM cannot go on with %s paging: %s", to->name, why);
	} else {
		r = hand_over(vm, to, state, ret_why);
		if (r == 0)
			from->finish(vm);
		(r < 0 ? to : from)->destroy(vm);
	}
	if (r == 0)
		vm->paging = to;
	free(state);
	return r;
}

/* A vCPU of a stopped guest cannot run on until it is ready. */
static bool is_stopped(const struct vm *vm, char *ret_why)
{
	const size_t len = strlen(ret_why);

	if (!atomic_load(&vm->paused))
		return false;
	snprintf(ret_why + len, PAGING_WHY_MAX - len, "; the guest is stopped and cannot run on: \"cont\" first");
	return true;
}

/* While an exception is on its way, or a device is at work, the guest has to run on before it can stand still. */
#define TRY_NS   200000
#define TRIES_US 2000000

static int change_paused(struct vm *vm, const struct paging_ops *to, char *ret_why)
{
	int r = check_vcpus(vm, ret_why);

	if (r < 0)
		return r;
	r = vm_lock_paging(vm);
	if (r < 0) {
		snprintf(ret_why, PAGING_WHY_MAX, "Guest memory is being reclaimed or released, or a vCPU is busy");
		return r;
	}
	r = change(vm, to, ret_why);
	vm_unlock_paging(vm);
	return r;
}

/* One try. -EAGAIN: a vCPU is not ready for it. */
static int try_change(struct vm *vm, const struct paging_ops *to, uint64_t *ret_us, char *ret_why)
{
	const int64_t start = clock_us();
	int vcpu, r = vm_pause(vm, &vcpu);

	if (r < 0) {
		snprintf(ret_why, PAGING_WHY_MAX, "vCPU %d does not leave the guest", vcpu);
		return r;
	}
	r = change_paused(vm, to, ret_why);
	vm_resume(vm);
	*ret_us = clock_us() - start;
	return r;
}

int paging_change(struct vm *vm, const struct paging_ops *to, const char *reason, bool *ret_changed, uint64_t *ret_us,
                  char *ret_why)
{
	const int64_t start = clock_us();
	const struct timespec pause = {.tv_nsec = TRY_NS};
	int r = 0;

	*ret_changed = false;
	*ret_us = 0;
	pthread_mutex_lock(&vm->change_lock);
	while (to != vm->paging) {
		r = try_change(vm, to, ret_us, ret_why);
		if (r != -EAGAIN || vm_has_ended(vm) || is_stopped(vm, ret_why) || clock_us() - start > TRIES_US)
			break;
		nanosleep(&pause, NULL);
	}
	if (r == 0 && to == vm->paging && *ret_us) {
		struct timespec now;

		clock_gettime(CLOCK_REALTIME, &now);
		*ret_changed = true;
		vm->history = (struct paging_history){.changes = vm->history.changes + 1,
		                                      .since_ms = now.tv_sec * 1000ull + now.tv_nsec / 1000000,
		                                      .reason = reason,
		                                      .us = *ret_us};
	}
	pthread_mutex_unlock(&vm->change_lock);
	return r == -EAGAIN ? -EBUSY : r;
}

void paging_look(struct vm *vm, const char **ret_mode, struct paging_history *ret_history)
{
	pthread_mutex_lock(&vm->change_lock);
	*ret_mode = vm->paging->name;
	*ret_history = vm->history;
	pthread_mutex_unlock(&vm->change_lock);
}
