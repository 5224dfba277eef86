/* SPDX-License-Identifier: MIT */
#include "machine/restore.h"

#include <errno.h>
#include <string.h>

#include "base/plain.h"
#include "kvm/cpuid.h"
#include "paging/switch.h"
#include "vm/reclaim.h"
#include "vm/saved.h"

#define SLICES 256 /* at once */

/* --- this host --- */

int restore_check(const struct snapshot *s, char *ret_why)
{
	const struct snapshot_shape *shape = &s->shape;
	uint32_t here[CPUID_FEATURE_WORDS];
	char vendor[13], theirs[sizeof(shape->vendor)];
	const char *name;
	bool missing;

	memcpy(theirs, shape->vendor, sizeof(theirs));
	plain_string(theirs);
	cpuid_features(here, vendor);
	if (strcmp(vendor, shape->vendor) != 0)
		return snapshot_refuse(ENOTSUP, ret_why, "it comes from a CPU of %s, and this one is of %s", theirs,
		                       vendor);
	name = cpuid_missing(shape->features, &missing);
	if (missing)
		return snapshot_refuse(ENOTSUP, ret_why, "its guest uses a CPU feature that this host lacks: %s",
		                       name ? name : "one without a name");
	if (shape->maxphyaddr > (uint32_t)cpuid_maxphyaddr())
		return snapshot_refuse(ENOTSUP, ret_why, "its CPU has %u bits of physical address, and this one %d",
		                       shape->maxphyaddr, cpuid_maxphyaddr());
	if (!paging_by_name(shape->paging))
		return snapshot_refuse(ENOTSUP, ret_why, "it ran in a paging mode that this version does not have");
	return 0;
}

/* --- devices, and what is missing of memory --- */

struct boot_state restore_boot_state(const struct snapshot *s)
{
	return (struct boot_state){.image = gpa_init(s->state.image), .image_end = gpa_init(s->state.image_end)};
}

uint64_t restore_balloon_features(const struct snapshot *s)
{
	return s->state.balloon.transport.features & BALLOON_OPTIONAL;
}

static int take_slices(struct vm *vm, struct stage2_slice *slice, unsigned n)
{
	return n ? vm_reclaim_slices(vm, slice, n) : 0;
}

/* The host has what the guest did not have. */
static int take_absent(const struct snapshot *s, struct vm *vm)
{
	struct stage2_slice slice[SLICES];
	unsigned n = 0;
	int r = 0;

	for (uint64_t i = 0; r == 0 && i < s->nr_runs; i++) {
		const struct snapshot_extent *run = &s->run[i];
		const uint64_t at = run->gfn * PAGE_SIZE, size = run->pages * PAGE_SIZE;

		if (run->kind != SNAPSHOT_ABSENT)
			continue;
		if (n && gpa_raw(slice[n - 1].gpa) + slice[n - 1].size == at) {
			slice[n - 1].size += size;
			continue;
		}
		if (n == SLICES) {
			r = take_slices(vm, slice, n);
			n = 0;
		}
		slice[n++] = (struct stage2_slice){.gpa = gpa_init(at), .size = size};
	}
	return r < 0 ? r : take_slices(vm, slice, n);
}

/* Before any runs: whether the mode can go on with each. */
static int check_cpus(const struct snapshot *s, const char *path, struct vm *vm)
{
	const char *why = NULL;

	for (uint32_t i = 0; i < s->state.nr_cpus; i++) {
		if (s->state.cpu[i].power != CPU_RUNS)
			continue;
		pthread_mutex_lock(&vm->paging_lock);
		why = vm->paging->refuses(vm->vcpu[i], &s->state.cpu[i].state);
		pthread_mutex_unlock(&vm->paging_lock);
		if (!why)
			continue;
		log_error("--restore: %s: the guest cannot go on with %s paging: CPU %u: %s", path, vm->paging->name, i,
		          why);
		return -ENOTSUP;
	}
	return 0;
}

/* The guest counts time by its TSC. A different one would have it go wrong without a word. */
static bool has_other_clock(const struct snapshot *s, const char *path, struct vm *vm)
{
	const uint64_t here = vm_tsc_hz(vm), there = s->shape.tsc_hz;
	const uint64_t apart = here > there ? here - there : there - here;

	if (!here || !there || apart <= here / 100)
		return false;
	log_error("--restore: %s: its guest's time-stamp counter runs at %llu MHz, and this host's at %llu MHz", path,
	          (unsigned long long)(there / 1000000), (unsigned long long)(here / 1000000));
	return true;
}

int restore_machine(const struct snapshot *s, const char *path, struct vm *vm, struct serial *console,
                    struct platform *platform)
{
	const struct snapshot_state *state = &s->state;
	const char *why;
	int r;

	if (has_other_clock(s, path, vm))
		return -ENOTSUP;
	why = balloon_restore(&platform->balloon, &state->balloon);
	if (why) {
		log_error("--restore: %s: its balloon cannot be: %s", path, why);
		return -EBADMSG;
	}
	serial_restore(console, &state->serial);
	vm->history = (struct paging_history){
	    .changes = state->changes, .since_ms = state->since_ms, .us = state->change_us, .reason = "restore"};
	r = take_absent(s, vm);
	if (r == -EINVAL)
		log_error(
		    "--restore: %s: the guest lacks pages of 4 KiB, and memory of %s pages (--backing %s) goes in "
		    "whole ones",
		    path, backing_page_words(vm->mem.backing), backing_name(vm->mem.backing));
	else if (r < 0)
		log_errno(-r, "--restore: %s: pages that the guest does not have cannot be taken", path);
	return r < 0 ? r : check_cpus(s, path, vm);
}

int restore_start(const struct snapshot *s, struct vm *vm)
{
	int r = 0;

	for (int i = 0; r == 0 && i < vm->nr_vcpus; i++)
		r = vcpu_wait_made(vm->vcpu[i]);
	for (int i = 0; r == 0 && i < vm->nr_vcpus; i++)
		r = vcpu_start_saved(vm->vcpu[i], &s->state.cpu[i]);
	if (r == 0)
		balloon_go_on(vm->balloon);
	return r;
}
