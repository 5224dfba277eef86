/* SPDX-License-Identifier: MIT */
/* A VM made of a few variables, for the control server: its commands act on these, and tests look at them. */
#ifndef TESTS_UNIT_FAKE_VM_H
#define TESTS_UNIT_FAKE_VM_H

#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/stat.h>

#include "control/ops.h"

struct fake_vm {
	atomic_bool running, quit;
	atomic_int stops, conts, resets;
	bool has_balloon, stop_fails, has_enclaves;
	const char *name;
	struct control_balloon balloon;
	uint64_t gpa, size; /* of the last reclaim or release */
	char file[64];      /* of a snapshot; empty: there is none */
	char base[64];      /* likewise, what it builds on */
	bool tracks;
	char last;          /* 'c' for reclaim, 'l' for release */
};

static const char *fake_name(void *vm)
{
	return ((struct fake_vm *)vm)->name;
}
static int fake_nr_vcpus(void *vm)
{
	return 2;
}
static bool fake_running(void *vm)
{
	return ((struct fake_vm *)vm)->running;
}

static int fake_stop(void *vm, struct control_error *err)
{
	struct fake_vm *f = vm;

	if (f->stop_fails)
		return control_fail(err, ETIMEDOUT, "vCPU 1 does not stop");
	f->running = false;
	f->stops++;
	return 0;
}

static void fake_cont(void *vm)
{
	struct fake_vm *f = vm;

	f->running = true;
	f->conts++;
}

static void fake_quit(void *vm)
{
	((struct fake_vm *)vm)->quit = true;
}

static int fake_reset(void *vm, struct control_error *err)
{
	((struct fake_vm *)vm)->resets++;
	return 0;
}

static void fake_stats(void *vm, enum stats_target target, enum stats_provider provider, int vcpu, control_stat_fn fn,
                       void *arg)
{
	if (provider == STATS_KVM && target == STATS_VM)
		fn(arg, &(struct control_stat){.name = "pages_4k", .type = "instant", .what = "pages", .value = 11});
	if (provider == STATS_GNOMON && target == STATS_VCPU) {
		fn(arg,
		   &(struct control_stat){.name = "exits", .type = "cumulative", .what = "e", .value = 100 + vcpu});
		fn(arg, &(struct control_stat){.name = "stall",
		                               .type = "peak",
		                               .unit = "seconds",
		                               .base = 10,
		                               .exponent = -9,
		                               .what = "s",
		                               .value = 5});
	}
}

static int fake_balloon_get(void *vm, struct control_balloon *ret, struct control_error *err)
{
	struct fake_vm *f = vm;

	if (!f->has_balloon)
		return control_fail_class(err, ERROR_NOT_ACTIVE, ENODEV, "No balloon device has been activated");
	*ret = f->balloon;
	return 0;
}

static int fake_balloon_set(void *vm, uint64_t bytes, struct control_error *err)
{
	((struct fake_vm *)vm)->balloon.target = bytes;
	return 0;
}

static json_t *fake_json(void *vm, struct control_error *err)
{
	return json_pack("{s:i}", "fake", 1);
}

/* More than any bound of a client's queue but the last. */
static json_t *fake_dump(void *vm, const char *stage, struct control_error *err)
{
	json_t *lines = json_array();

	for (int i = 0; i < 20000; i++)
		json_array_append_new(lines, json_string(stage));
	return lines;
}

static json_t *fake_walk(void *vm, const struct control_walk *w, struct control_error *err)
{
	return json_pack("{s:s, s:s, s:s, s:i}", "address", w->address, "access", w->access, "privilege",
	                 w->privilege ? w->privilege : "as it runs", "cpu", (int)w->cpu);
}

static json_t *fake_tables(void *vm, const struct control_tables *t, struct control_error *err)
{
	return json_pack("{s:s, s:s, s:i}", "stage", t->stage, "address", t->address ? t->address : "all", "cpu",
	                 (int)t->cpu);
}

static int fake_slice(struct fake_vm *f, char what, uint64_t gpa, uint64_t size)
{
	f->last = what;
	f->gpa = gpa;
	f->size = size;
	return 0;
}

static int fake_reclaim(void *vm, uint64_t gpa, uint64_t size, struct control_error *err)
{
	return fake_slice(vm, 'c', gpa, size);
}

static int fake_release(void *vm, uint64_t gpa, uint64_t size, struct control_error *err)
{
	return fake_slice(vm, 'l', gpa, size);
}

static int fake_set_paging(void *vm, const char *mode, bool *ret_changed, uint64_t *ret_us, struct control_error *err)
{
	*ret_changed = strcmp(mode, "shadow") == 0;
	*ret_us = *ret_changed ? 123 : 0;
	return 0;
}

static int fake_snapshot_save(void *vm, const struct control_save *wanted, uint64_t *ret_pause_us,
                              struct control_error *err)
{
	struct fake_vm *f = vm;

	if (*f->file)
		return control_fail(err, EBUSY, "A snapshot is being saved to %s", f->file);
	strncpy(f->file, wanted->file, sizeof(f->file) - 1);
	if (wanted->since)
		strncpy(f->base, wanted->since, sizeof(f->base) - 1);
	f->tracks = wanted->track;
	*ret_pause_us = 456;
	return 0;
}

static void fake_snapshot(void *vm, struct control_snapshot *ret)
{
	const struct fake_vm *f = vm;

	*ret =
	    (struct control_snapshot){.status = *f->file ? "saving" : "none", .pause_us = 456, .pages = 7, .done = 3};
	memcpy(ret->file, f->file, sizeof(f->file));
	memcpy(ret->base, f->base, sizeof(f->base));
	ret->unchanged = f->tracks ? 5 : 0;
}

/* One that is ready, and one that is still built. */
static json_t *fake_enclaves(void *vm, struct control_error *err)
{
	if (!((struct fake_vm *)vm)->has_enclaves) {
		control_fail(err, ENODEV, "no secure memory");
		return NULL;
	}
	return json_pack("{s:s, s:[{s:i, s:s, s:i, s:i, s:i, s:{s:i, s:i, s:i, s:i}, s:s}, {s:i, s:s}]}", "key",
	                 "c0ffee", "enclaves", "id", 3, "state", "ready", "pages", 7, "tables", 4, "entries", 10,
	                 "exits", "exited", 11, "called-out", 12, "interrupted", 13, "faulted", 14, "measurement",
	                 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", "id", 64, "state",
	                 "building");
}

static json_t *fake_fingerprint(void *vm, const struct control_fingerprint *which, bool stop, struct control_error *err)
{
	return json_pack("{s:s, s:s, s:b}", "algorithm", which->algorithm, "key", which->key ? which->key : "own",
	                 "stop", stop);
}

static json_t *fake_hashes(void *vm, const struct control_fingerprint *which, const struct control_hashes *hashes,
                           struct control_error *err)
{
	return json_pack("[I, i, I, i]", (json_int_t)hashes->version, hashes->level, (json_int_t)hashes->first,
	                 (int)hashes->count);
}

/* Takes what is larger than a page. */
static int fake_dedup_store(void *vm, int store, bool users, uint64_t *ret_size, uint64_t *ret_unit,
                            struct control_error *err)
{
	struct stat st;

	if (users)
		return control_fail(err, EPERM, "not with others");
	if (fstat(store, &st) < 0 || st.st_size <= 4096)
		return control_fail(err, EINVAL, "no store");
	*ret_size = (uint64_t)st.st_size;
	*ret_unit = 4096;
	return 0;
}

/* All ranges count as what was asked for; zeroes as zeroes. */
static int fake_dedup(void *vm, enum control_dedup what, int store, const struct control_range *range, unsigned n,
                      struct control_merged *ret, struct control_error *err)
{
	for (unsigned i = 0; i < n; i++) {
		ret->bytes += range[i].size;
		*(range[i].zero          ? &ret->pages.zero
		  : what == CONTROL_GIVE ? &ret->pages.given
		                         : &ret->pages.merged) += range[i].size / 4096;
	}
	ret->pages.full = store < 0 ? 0 : 1;
	return 0;
}

static json_t *fake_dedup_places(void *vm, uint64_t gpa, uint64_t size, struct control_error *err)
{
	return json_pack("[[I, I, i, i]]", (json_int_t)gpa, (json_int_t)size, 0, 0);
}

static int fake_idle(void *vm)
{
	return -1;
}

static const struct control_ops fake_ops = {
    .name = fake_name,
    .nr_vcpus = fake_nr_vcpus,
    .running = fake_running,
    .stop = fake_stop,
    .cont = fake_cont,
    .quit = fake_quit,
    .reset = fake_reset,
    .stats = fake_stats,
    .balloon_get = fake_balloon_get,
    .balloon_set = fake_balloon_set,
    .balloon_stats = fake_json,
    .paging = fake_json,
    .set_paging = fake_set_paging,
    .dump_tables = fake_dump,
    .walk = fake_walk,
    .tables = fake_tables,
    .reclaim = fake_reclaim,
    .release = fake_release,
    .snapshot_save = fake_snapshot_save,
    .snapshot = fake_snapshot,
    .enclaves = fake_enclaves,
    .fingerprint = fake_fingerprint,
    .fingerprint_hashes = fake_hashes,
    .dedup_store = fake_dedup_store,
    .dedup = fake_dedup,
    .dedup_places = fake_dedup_places,
    .idle = fake_idle,
};

#endif
