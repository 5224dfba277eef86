/* SPDX-License-Identifier: MIT */
#include "paging/switch.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "paging/nested.h"
#include "paging/shadow.h"
#include "vm/vcpu.h"

const struct paging_ops *paging_by_name(const char *name)
{
	static const struct paging_ops *const modes[] = {&paging_nested, &paging_shadow};

	for (size_t i = 0; i < sizeof(modes) / sizeof(*modes); i++)
		if (strcmp(name, modes[i]->name) == 0)
			return modes[i];
	return NULL;
}

static int get_states(struct vm *vm, struct cpu_state *ret_state, char *ret_why)
{
	for (int i = 0; i < vm->nr_vcpus; i++) {
		const int r = vm->vcpu[i]->live ? vm->paging->get_state(vm->vcpu[i], &ret_state[i]) : 0;

		if (r < 0) {
			snprintf(ret_why, VM_WHY_MAX, "KVM does not tell the state of vCPU %d", i);
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
			snprintf(ret_why, VM_WHY_MAX, "KVM refuses the state of vCPU %d", i);
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
			snprintf(ret_why, VM_WHY_MAX, "The guest cannot go on with %s paging: vCPU %d: %s", to->name, i,
			         refusal);
			return -ENOTSUP;
		}
	}
	return 0;
}

/* What every vCPU has, if `to` can go on from there. A guest that is refused pays for no mode that is made in vain. */
static int take_states(struct vm *vm, const struct paging_ops *to, struct cpu_state **ret_state, char *ret_why)
{
	struct cpu_state *state = calloc(vm->nr_vcpus, sizeof(*state));
	int r;

	if (!state) {
		snprintf(ret_why, VM_WHY_MAX, "The host has no memory for the state of the vCPUs");
		return -ENOMEM;
	}
	r = get_states(vm, state, ret_why);
	if (r == 0)
		r = check_guest(vm, to, state, ret_why);
	if (r < 0) {
		free(state);
		return r;
	}
	*ret_state = state;
	return 0;
}

/* From the mode that runs to one that is made. */
static int hand_over(struct vm *vm, const struct paging_ops *to, const struct cpu_state *state, char *ret_why)
{
	char why[VM_WHY_MAX];
	const int r = set_states(vm, to, state, ret_why);

	if (r < 0 && set_states(vm, vm->paging, state, why) < 0) {
		log_error("%s, and after that: %s", ret_why, why);
		vm_end(vm, VM_HOST_FAILED, STATUS_HOST_FAILURE);
	}
	return r;
}

/* With the VM at rest: a vm_rest_fn. */
static int change(struct vm *vm, void *ctx, char *ret_why)
{
	const struct paging_ops *from = vm->paging, *to = *(const struct paging_ops **)ctx;
	struct cpu_state *state = NULL;
	const char *why = NULL;
	int r = take_states(vm, to, &state, ret_why);

	if (r < 0)
		return r;
	r = to->create(vm, &why);
	if (r < 0) {
		snprintf(ret_why, VM_WHY_MAX, "The VM cannot go on with %s paging: %s", to->name, why);
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

/* Likewise. */
static int check(struct vm *vm, void *ctx, char *ret_why)
{
	struct cpu_state *state = NULL;
	const int r = take_states(vm, *(const struct paging_ops **)ctx, &state, ret_why);

	free(state);
	return r;
}

int paging_change(struct vm *vm, const struct paging_ops *to, const char *reason, bool *ret_changed, uint64_t *ret_us,
                  char *ret_why)
{
	int r = 0;

	*ret_changed = false;
	*ret_us = 0;
	pthread_mutex_lock(&vm->change_lock);
	if (to != vm->paging) {
		r = vm_at_rest(vm, change, &to, ret_us, ret_why);
		*ret_changed = r == 0;
	}
	if (*ret_changed) {
		struct timespec now;

		clock_gettime(CLOCK_REALTIME, &now);
		vm->history = (struct paging_history){.changes = vm->history.changes + 1,
		                                      .since_ms = now.tv_sec * 1000ull + now.tv_nsec / 1000000,
		                                      .reason = reason,
		                                      .us = *ret_us};
	}
	pthread_mutex_unlock(&vm->change_lock);
	return r;
}

int paging_check(struct vm *vm, const struct paging_ops *to, char *ret_why)
{
	uint64_t us;
	int r;

	pthread_mutex_lock(&vm->change_lock);
	r = to != vm->paging ? vm_at_rest(vm, check, &to, &us, ret_why) : 0;
	pthread_mutex_unlock(&vm->change_lock);
	return r;
}

void paging_look(struct vm *vm, const char **ret_mode, struct paging_history *ret_history)
{
	pthread_mutex_lock(&vm->change_lock);
	*ret_mode = vm->paging->name;
	*ret_history = vm->history;
	pthread_mutex_unlock(&vm->change_lock);
}
