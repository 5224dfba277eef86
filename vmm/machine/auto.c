/* SPDX-License-Identifier: MIT */
#include "machine/auto.h"

#include <errno.h>
#include <gnomon/x86.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/thread.h"
#include "host/host.h"
#include "paging/switch.h"
#include "vm/vcpu.h"

#define HASH_TABLES 512 /* of a guest's tables, the first so many are looked at */

/* --- a look --- */

/* What the tables below `at` say, accessed and dirty bits aside. Another CPU may be changing them. */
static uint64_t hash_tables(struct vcpu *vcpu, uint64_t at, int level, unsigned *left)
{
	uint64_t hash = at, e;

	for (unsigned i = 0; *left && i < 512; i++) {
		if (!vcpu_guest_entry(vcpu, at + 8 * i, &e))
			break;
		e &= ~(uint64_t)(PTE_A | PTE_D);
		hash = (hash ^ e) * 0x9e3779b97f4a7c15;
		if (level == 1 || !(e & PTE_P) || e & PTE_PS)
			continue;
		(*left)--;
		hash ^= hash_tables(vcpu, e & PTE_ADDR, level - 1, left);
	}
	return hash;
}

static bool is_shadow(struct vm *vm)
{
	struct paging_history history;
	const char *mode;

	paging_look(vm, &mode, &history);
	return mode == paging_by_name("shadow")->name;
}

/* The states of vCPUs that run, by their numbers. False: the VM cannot be paused now, or a vCPU is at a device. */
static bool take_states(struct vm *vm, struct cpu_state *state, bool *ret_runs)
{
	bool ok = true;
	int held_up;

	if (vm_pause(vm, &held_up) < 0)
		return false;
	for (int i = 0; i < vm->nr_vcpus; i++) {
		struct vcpu *vcpu = vm->vcpu[i];

		ok &= vcpu_is_parked(vcpu);
		ret_runs[i] = ok && vcpu->live;
		if (ok && ret_runs[i])
			ok = vm->paging->get_state(vcpu, &state[i]) == 0;
	}
	vm_resume(vm);
	return ok;
}

static void look(struct paging_auto *a)
{
	struct cpu_state state[VM_MAX_CPUS];
	bool runs[VM_MAX_CPUS];
	struct vm *vm = a->vm;
	bool ok;

	if (a->blind) {
		a->blind--;
		return;
	}
	pthread_mutex_lock(&vm->change_lock);
	ok = take_states(vm, state, runs);
	pthread_mutex_unlock(&vm->change_lock);
	if (!ok)
		a->blind = POLICY_LOOKS; /* a pause that waits for a device holds the other vCPUs up, too */
	for (int i = 0; ok && i < vm->nr_vcpus; i++) {
		unsigned left = HASH_TABLES;
		uint64_t root, hash;

		if (!runs[i] || state[i].halted || !(state[i].cr0 & CR0_PG))
			continue;
		root = state[i].cr3 & PTE_ADDR;
		pthread_mutex_lock(&vm->reclaim_lock);
		hash = hash_tables(vm->vcpu[i], root, 4, &left);
		pthread_mutex_unlock(&vm->reclaim_lock);
		a->window.looks++;
		a->window.kernel += state[i].cpl == 0;
		a->window.moved += root != a->root[i] || hash != a->hash[i];
		a->root[i] = root;
		a->hash[i] = hash;
	}
}

/* --- a window --- */

static uint64_t traps_so_far(const struct vm *vm)
{
	uint64_t n = 0;

	for (int i = 0; i < vm->nr_vcpus; i++)
		n += counter_read(&vm->vcpu[i]->counters, CTR_EXITS);
	return n;
}

/*
 * What each window begins with. Shadow mode joins neighbouring pages to 2 MiB ones, which makes a walk one level shorter:
 * of the second stage's levels below it, too. Where KVM composes tables itself, only memory on large pages lets it do the
 * same.
 */
static struct policy_window fresh_window(const struct vm *vm)
{
	struct policy_window w = {.most_looks = POLICY_LOOKS * vm->nr_vcpus};
	struct host_info host;

	host_read_second_stage(&host);
	if (host_stage_is_hardware(host.second_stage)) {
		w.refs_saved = 5;
		w.trap_us = POLICY_TRAP_US_HARDWARE;
	} else {
		w.refs_saved = vm->mem.backing == BACKING_4K ? 0 : 1;
		w.trap_us = POLICY_TRAP_US_SOFTWARE;
	}
	return w;
}

static void begin_window(struct paging_auto *a)
{
	a->window = a->fresh;
	a->start_us = clock_us();
	a->traps = traps_so_far(a->vm);
}

/* Another try after some windows; each reason is told once. */
static void refused(struct paging_auto *a, const char *why)
{
	policy_changed(&a->policy, a->policy.shadow);
	if (strcmp(a->refusal, why) != 0)
		log_error("--paging auto stays with %s paging: %s", a->policy.shadow ? "shadow" : "nested", why);
	snprintf(a->refusal, sizeof(a->refusal), "%s", why);
}

static void change(struct paging_auto *a, const char *reason)
{
	const struct paging_ops *to = paging_by_name(a->policy.shadow ? "nested" : "shadow");
	char why[VM_WHY_MAX];
	bool changed;
	uint64_t us;

	if (a->dry_run) {
		if (paging_check(a->vm, to, why) < 0)
			refused(a, why);
		else if (a->said != reason)
			log_error("--paging auto would change to %s now: %s; %s", to->name, reason, a->policy.detail);
		a->said = reason;
		return;
	}
	if (paging_change(a->vm, to, reason, &changed, &us, why) < 0) {
		refused(a, why);
		return;
	}
	policy_changed(&a->policy, !a->policy.shadow);
	if (changed && a->changed)
		a->changed(a->ctx, to->name, reason, a->policy.detail, us);
}

static void end_window(struct paging_auto *a)
{
	const bool shadow = is_shadow(a->vm);
	const char *reason;

	if (shadow != a->policy.shadow) /* a client of the control socket changed it */
		policy_changed(&a->policy, shadow);
	a->window.us = clock_us() - a->start_us;
	reason = policy_decide(&a->policy, &a->window);
	if (reason)
		change(a, reason);
	else
		a->said = NULL;
}

static void *thread(void *arg)
{
	struct paging_auto *a = arg;
	struct timespec until;

	begin_window(a);
	for (unsigned looks = 1;; looks++) {
		clock_gettime(CLOCK_REALTIME, &until);
		until.tv_nsec += POLICY_LOOK_MS * 1000000;
		until.tv_sec += until.tv_nsec / 1000000000;
		until.tv_nsec %= 1000000000;
		if (sem_timedwait(&a->end, &until) == 0)
			return NULL;
		if (atomic_load(&a->vm->paused)) { /* a client has stopped it: what it does not do says nothing of it */
			begin_window(a);
			looks = 0;
			continue;
		}
		if (!is_shadow(a->vm)) /* there the traps are counted */
			look(a);
		a->window.traps = traps_so_far(a->vm) - a->traps;
		if (looks == POLICY_LOOKS || policy_is_certain(&a->policy, &a->window)) {
			end_window(a);
			begin_window(a);
			looks = 0;
		}
	}
}

int paging_auto_start(struct paging_auto *a, struct vm *vm, bool dry_run, paging_auto_fn changed, void *ctx)
{
	int r;

	*a = (struct paging_auto){
	    .vm = vm, .dry_run = dry_run, .changed = changed, .ctx = ctx, .fresh = fresh_window(vm)};
	policy_init(&a->policy, is_shadow(vm));
	sem_init(&a->end, 0, 0);
	r = thread_start(&a->thread, thread, a);
	a->has_thread = r == 0;
	return r ? log_errno(r, "no thread for --paging auto") : 0;
}

void paging_auto_stop(struct paging_auto *a)
{
	if (!a->has_thread)
		return;
	sem_post(&a->end);
	pthread_join(a->thread, NULL);
	sem_destroy(&a->end);
	a->has_thread = false;
}
