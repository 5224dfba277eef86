/* SPDX-License-Identifier: MIT */
#include "vm/reclaim.h"

#include <errno.h>
#include <time.h>

#include "base/backoff.h"
#include "vm/vcpu.h"
#include "stage2/reclaim.h"
#include "virtio/balloon.h"

#define LOCK_SECONDS  2    /* a control client waits no longer */
#define MAPPINGS_OURS 2048 /* left for everything else in the process */

/* --- locks --- */

static bool lock_within_bound(pthread_mutex_t *mutex)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += LOCK_SECONDS;
	return pthread_mutex_timedlock(mutex, &until) == 0;
}

int vm_lock_reclaim(struct vm *vm)
{
	return lock_within_bound(&vm->reclaim_lock) ? 0 : -EBUSY;
}

void vm_unlock_reclaim(struct vm *vm)
{
	pthread_mutex_unlock(&vm->reclaim_lock);
}

int vm_lock_paging(struct vm *vm)
{
	if (!lock_within_bound(&vm->reclaim_lock))
		return -EBUSY;
	if (!lock_within_bound(&vm->paging_lock)) {
		pthread_mutex_unlock(&vm->reclaim_lock);
		return -EBUSY;
	}
	return 0;
}

void vm_unlock_paging(struct vm *vm)
{
	pthread_mutex_unlock(&vm->paging_lock);
	pthread_mutex_unlock(&vm->reclaim_lock);
}

/* These are written under reclaim_lock alone. */
static struct counters *reclaim_counters(struct vm *vm)
{
	return &vm->vcpu[0]->counters;
}

/* --- shootdown --- */

/* What a vCPU did under an older one may rest on what is gone. */
static uint64_t new_generation(struct vm *vm)
{
	return atomic_fetch_add(&vm->reclaim_generation, 1) + 1;
}

/* Has come by the top of its loop since `generation` began, or will before it does anything. */
static bool has_acked(const struct vcpu *vcpu, uint64_t generation)
{
	return atomic_load(&vcpu->parked) || atomic_load(&vcpu->acked) >= generation;
}

/* Nobody in the VMM holds a pointer any more that the second stage gave before (vm/reclaim.h). */
static void wait_for_pointers(struct vm *vm)
{
	unsigned tries = 0;

	if (vm->balloon) {
		pthread_mutex_lock(&vm->balloon->transport.lock);
		pthread_mutex_unlock(&vm->balloon->transport.lock);
	}
	for (int i = 0; i < vm->nr_vcpus; i++)
		while (atomic_load(&vm->vcpu[i]->pins))
			backoff(&tries);
}

unsigned vm_kick_out(struct vm *vm)
{
	const uint64_t generation = new_generation(vm);
	unsigned n = 0, tries = 0;
	uint64_t kicked = 0;

	_Static_assert(VM_MAX_CPUS <= 64, "a bit each");
	for (int i = 0; i < vm->nr_vcpus; i++) {
		if (has_acked(vm->vcpu[i], generation) || !atomic_load(&vm->vcpu[i]->in_run))
			continue;
		vcpu_kick(vm->vcpu[i]);
		kicked |= 1ull << i;
		n++;
	}
	for (int i = 0; i < vm->nr_vcpus; i++)
		while (kicked >> i & 1 && !has_acked(vm->vcpu[i], generation) && atomic_load(&vm->vcpu[i]->in_run))
			backoff(&tries);
	return n;
}

void vm_withdraw(struct vm *vm, const struct stage2_slice *slice, unsigned n)
{
	int r;

	if (vm->stage2.lent.content) /* one slice, in one region: vm_lend() */
		lent_copy(&vm->stage2.lent, guest_mem_ptr(&vm->mem, slice->maddr, slice->size), slice->size);
	r = withdrawal_run(&vm->withdrawal, slice, n);
	if (r == 0)
		return;
	/* Its limit of mappings was looked at before. The guest must not find its old bytes when it gets them back. */
	log_errno(-r, "the host does not withdraw guest memory");
	vm_end(vm, VM_HOST_FAILED, STATUS_HOST_FAILURE);
}

unsigned vm_keep_out(struct vm *vm)
{
	pthread_mutex_lock(&vm->keep_out_lock);
	atomic_store(&vm->kept_out, true);
	return vm_kick_out(vm);
}

void vm_let_in(struct vm *vm)
{
	atomic_store(&vm->kept_out, false);
	pthread_mutex_unlock(&vm->keep_out_lock);
}

static unsigned shootdown(void *ctx, const struct stage2_slice *slice, unsigned n)
{
	struct vm *vm = ctx;

	(void)new_generation(vm); /* who fails from here on reached what was taken: vcpu_memory_fault() */
	wait_for_pointers(vm);
	return vm->paging->shootdown(vm, slice, n);
}

/* --- memory --- */

static uint64_t surrender(void *ctx, maddr_t maddr, uint64_t size)
{
	struct vm *vm = ctx;
	int r = guest_mem_surrender(&vm->mem, maddr, size);

	if (r == 0)
		return size;
	log_errno(-r, "the host does not take guest memory back");
	vm_end(vm, VM_HOST_FAILED, STATUS_HOST_FAILURE);
	return 0;
}

static int restore(void *ctx, gpa_t gpa, uint64_t size)
{
	struct vm *vm = ctx;

	return guest_mem_restore(&vm->mem, maddr_init(gpa_raw(gpa)), size);
}

static void joined(void *ctx, gpa_t gpa, maddr_t maddr)
{
	struct vm *vm = ctx;

	guest_mem_ask_huge(&vm->mem, maddr, PAGE_2M);
	vm->paging->joined(vm, gpa);
}

static const struct stage2_reclaim_ops ops = {
    .shootdown = shootdown,
    .surrender = surrender,
    .restore = restore,
    .joined = joined,
};

/* --- what the host can hold --- */

/* Pages out of what is shared with others are cut out as well. */
static uint64_t max_edges(const struct vm *vm)
{
	const uint64_t n = cuts_allowed(), others = MAPPINGS_OURS + cuts_set_aside(&vm->mem.cuts);

	return n > others ? n - others : 0;
}

/* What the page beside a range, behind or before the page `at` in it, makes of the border when the range changes. */
static int edge_at(const struct vm *vm, uint64_t at, uint64_t beside, bool reclaim)
{
	const uint64_t first = at < beside ? at : beside;
	struct stage2_mapping m;

	if (beside == 0 - PAGE_SIZE || !stage2_is_ram(&vm->stage2, gpa_init(first), 2 * PAGE_SIZE))
		return 0; /* memory ends there */
	return stage2_lookup(&vm->stage2, gpa_init(beside), &m) == reclaim ? 1 : -1;
}

/* How many borders between protections come with the change, or go: less than 0. With guards there are none. */
static int edges_of(const struct vm *vm, const struct stage2_slice *slice, unsigned n, bool reclaim)
{
	int edges = 0;

	for (unsigned i = 0; i < n && !vm->mem.guards; i++) {
		const uint64_t first = gpa_raw(slice[i].gpa), end = first + slice[i].size;

		edges += edge_at(vm, first, first - PAGE_SIZE, reclaim) + edge_at(vm, end - PAGE_SIZE, end, reclaim);
	}
	return edges;
}

static int check_and_lock(struct vm *vm, const struct stage2_slice *slice, unsigned n)
{
	const uint64_t unit = guest_mem_host_page(&vm->mem);
	int r;

	for (unsigned i = 0; i < n; i++)
		if ((gpa_raw(slice[i].gpa) | slice[i].size) & (unit - 1))
			return -EINVAL;
	r = vm_lock_paging(vm);
	for (unsigned i = 0; r == 0 && i < n; i++) {
		if (!lent_to(&vm->stage2.lent, slice[i].gpa, slice[i].size))
			continue;
		vm_unlock_paging(vm);
		r = -EPERM;
	}
	return r;
}

int vm_reclaim_locked(struct vm *vm, struct stage2_slice *slice, unsigned n)
{
	const int edges = edges_of(vm, slice, n, true);
	int r;

	if (edges > 0 && vm->reclaim_edges + edges > max_edges(vm))
		return -ENOMEM;
	r = stage2_reclaim(&vm->stage2, slice, n, &ops, vm, reclaim_counters(vm));
	if (r == 0)
		vm->reclaim_edges += edges;
	return r;
}

int vm_release_locked(struct vm *vm, const struct stage2_slice *slice, unsigned n, unsigned *ret_done)
{
	const int edges = edges_of(vm, slice, n, false);
	int r = -ENOMEM;

	*ret_done = 0;
	if (edges <= 0 || vm->reclaim_edges + edges <= max_edges(vm))
		r = stage2_release(&vm->stage2, slice, n, &ops, vm, reclaim_counters(vm), ret_done);
	/* Slices do not share a border. */
	vm->reclaim_edges += edges - edges_of(vm, slice + *ret_done, n - *ret_done, false);
	return r;
}

int vm_reclaim_slices(struct vm *vm, struct stage2_slice *slice, unsigned n)
{
	int r = check_and_lock(vm, slice, n);

	if (r < 0)
		return r;
	r = vm_reclaim_locked(vm, slice, n);
	vm_unlock_paging(vm);
	return r;
}

int vm_release_slices(struct vm *vm, const struct stage2_slice *slice, unsigned n, unsigned *ret_done)
{
	int r = check_and_lock(vm, slice, n);

	*ret_done = 0;
	if (r < 0)
		return r;
	r = vm_release_locked(vm, slice, n, ret_done);
	vm_unlock_paging(vm);
	return r;
}

int vm_reclaim(struct vm *vm, gpa_t gpa, uint64_t size)
{
	return vm_reclaim_slices(vm, &(struct stage2_slice){.gpa = gpa, .size = size}, 1);
}

int vm_release(struct vm *vm, gpa_t gpa, uint64_t size)
{
	unsigned done;

	return vm_release_slices(vm, &(struct stage2_slice){.gpa = gpa, .size = size}, 1, &done);
}

int vm_discard(struct vm *vm, gpa_t gpa, uint64_t size)
{
	const uint64_t unit = guest_mem_host_page(&vm->mem);
	struct stage2_mapping m;
	uint64_t step;
	int r;

	if (!stage2_is_ram(&vm->stage2, gpa, size))
		return -EINVAL;
	r = check_and_lock(vm, &(struct stage2_slice){.gpa = gpa, .size = size}, 1);
	if (r < 0)
		return r;
	step = stage2_ptr(&vm->stage2, gpa, size) ? size : unit;
	for (uint64_t off = 0; r == 0 && off < size; off += step)
		if (stage2_lookup(&vm->stage2, gpa_add(gpa, off), &m))
			r = guest_mem_discard(&vm->mem, m.maddr, step);
	vm->paging->written(vm, gpa, size); /* tables of the guest that lie there are full of zeroes now */
	vm_unlock_paging(vm);
	return r;
}

/* What the second stage does not map of a region was surrendered. */
static int restore_region(struct vm *vm, const struct mem_region *region)
{
	const uint64_t unit = guest_mem_host_page(&vm->mem);
	struct stage2_mapping m;
	int r = 0;

	for (uint64_t off = 0, size; r == 0 && off < region->size; off += size + unit) {
		for (size = 0; off + size < region->size; size += unit)
			if (stage2_lookup(&vm->stage2, gpa_init(maddr_raw(region->base) + off + size), &m))
				break;
		if (size)
			r = guest_mem_restore(&vm->mem, maddr_add(region->base, off), size);
	}
	return r;
}

int vm_release_all(struct vm *vm)
{
	struct pt_gather g = PT_GATHER_INIT;
	int r = 0;

	pthread_mutex_lock(&vm->reclaim_lock);
	pthread_mutex_lock(&vm->paging_lock);
	for (int i = 0; r == 0 && i < vm->mem.nr_regions; i++) {
		const struct mem_region *m = &vm->mem.region[i];

		r = restore_region(vm, m);
		if (r == 0)
			r = stage2_map(&vm->stage2, gpa_init(maddr_raw(m->base)), m->size, &g);
	}
	pt_gather_finish(&vm->stage2.pt, &g);
	if (r == 0)
		vm->reclaim_edges = 0;
	lent_forget(&vm->stage2.lent);
	vm_unlock_paging(vm);
	return r < 0 ? log_errno(-r, "the host has no memory for what was taken from the guest") : 0;
}
