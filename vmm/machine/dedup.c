/* SPDX-License-Identifier: MIT */
#include "machine/dedup.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/clock.h"
#include "machine/machine.h"
#include "mem/touched.h"
#include "share/merge.h"
#include "vm/reclaim.h"

/* A store that became shorter would take the guest's memory with it. */
#define SEALS_OF_SIZE (F_SEAL_SHRINK | F_SEAL_GROW)

static int check_backing(const struct vm *vm, struct control_error *err)
{
	if (!backing_is_pool(vm->mem.backing))
		return 0;
	return control_fail(err, EOPNOTSUPP, "Memory of pages of a pool (--backing %s) is not merged; 4k and thp are",
	                    backing_name(vm->mem.backing));
}

int machine_dedup_store(void *machine, int store, bool users, uint64_t *ret_size, uint64_t *ret_unit,
                        struct control_error *err)
{
	const struct machine *m = machine;
	const int seals = fcntl(store, F_GET_SEALS);
	struct statfs fs;
	struct stat st;

	if (check_backing(m->vm, err) < 0)
		return -EOPNOTSUPP;
	if (users && !m->share)
		return control_fail(err, EPERM,
		                    "Guests of other users take part, and this one was started without --share");
	if (seals < 0 || fstat(store, &st) < 0 || fstatfs(store, &fs) < 0 || fs.f_type != TMPFS_MAGIC)
		return control_fail(err, EINVAL, "The store is no file in memory (memfd) of 4 KiB pages");
	if ((seals & SEALS_OF_SIZE) != SEALS_OF_SIZE)
		return control_fail(err, EINVAL, "The store is not sealed against growing and shrinking");
	*ret_size = (uint64_t)st.st_size;
	*ret_unit = merge_unit(&m->vm->mem);
	return 0;
}

/* --- ranges --- */

/* Each in the store and in whole units, and the store sealed as it must be. */
static int check(const struct vm *vm, enum control_dedup what, int store, const struct control_range *range, unsigned n,
                 struct control_error *err)
{
	const uint64_t unit = merge_unit(&vm->mem);
	const int seals = store < 0 ? F_SEAL_WRITE : fcntl(store, F_GET_SEALS);
	struct stat st = {0};

	if (store >= 0 && fstat(store, &st) < 0)
		return control_fail(err, errno, "The store cannot be used (%s)", strerror(errno));
	if (what == CONTROL_TAKE && (seals < 0 || !(seals & F_SEAL_WRITE)))
		return control_fail(err, EPERM, "The store is not sealed: somebody could still write it");
	for (unsigned i = 0; i < n; i++) {
		if (!range[i].zero && what != CONTROL_ADVISE && range[i].offset + range[i].size > (uint64_t)st.st_size)
			return control_fail(err, EINVAL, "A range ends behind the store");
		if ((range[i].gpa | range[i].size) % unit)
			return control_fail(err, EINVAL, "With --backing %s ranges are multiples of %llu bytes",
			                    backing_name(vm->mem.backing), (unsigned long long)unit);
		if (range[i].gpa + range[i].size > maddr_raw(guest_mem_end(&vm->mem)))
			return control_fail(err, EINVAL, "A range ends behind guest memory");
	}
	return 0;
}

/* Where the work has come. */
struct progress {
	const struct control_range *range;
	unsigned n, i;
	uint64_t off; /* in range i */
	uint64_t bytes;
};

/* One piece that lies in 2 MiB. 0, or -errno of the host. */
static int step(struct progress *p, enum control_dedup what, struct merge *m)
{
	const struct control_range *r = &p->range[p->i];
	const uint64_t gpa = r->gpa + p->off, rest = r->size - p->off, room = MERGE_SIZE - gpa % MERGE_SIZE;
	const uint64_t size = rest < room ? rest : room;
	int e;

	if (what == CONTROL_GIVE)
		e = merge_give(m, gpa_init(gpa), size, r->offset + p->off);
	else if (what == CONTROL_ADVISE)
		e = merge_advise(m, gpa_init(gpa), size);
	else if (r->zero)
		e = merge_zeroes(m, gpa_init(gpa), size);
	else
		e = merge_take(m, gpa_init(gpa), size, r->offset + p->off);
	p->bytes += size;
	p->off += size;
	if (p->off == r->size) {
		p->i++;
		p->off = 0;
	}
	return e;
}

static int busy(struct control_error *err)
{
	return control_fail(err, EBUSY, "Guest memory is being reclaimed or released, or a vCPU is busy");
}

/* With the guest running. */
static int work(struct vm *vm, struct progress *p, enum control_dedup what, struct merge *m, struct control_error *err)
{
	const int64_t until = clock_us() + DEDUP_WORK_MS * 1000;
	int e = 0;

	do {
		if (vm_lock_reclaim(vm) < 0)
			return busy(err);
		e = step(p, what, m);
		vm_unlock_reclaim(vm);
	} while (e == 0 && p->i < p->n && clock_us() < until);
	return e;
}

/* Nobody stores meanwhile: no vCPU, and under both locks no device. */
static int work_paused(struct machine *machine, struct progress *p, enum control_dedup what, struct merge *m,
                       uint64_t *ret_us, struct control_error *err)
{
	const int64_t start = clock_us();
	int64_t begun;
	int e = machine_pause(machine, err);

	if (e < 0)
		return e;
	e = vm_lock_paging(machine->vm);
	if (e < 0) {
		vm_resume(machine->vm);
		return busy(err);
	}
	begun = clock_us();
	do
		e = step(p, what, m);
	while (e == 0 && p->i < p->n && clock_us() - begun < DEDUP_PAUSE_MS * 1000);
	vm_unlock_paging(machine->vm);
	vm_resume(machine->vm);
	*ret_us = (uint64_t)(clock_us() - start);
	return e;
}

static int refused(enum control_dedup what, int e, struct control_error *err)
{
	if (what == CONTROL_GIVE && e == -EPERM)
		return control_fail(err, EPERM, "The store is sealed already: nothing can be written to it");
	if (what == CONTROL_ADVISE && e == -EINVAL)
		return control_fail(err, EOPNOTSUPP, "The host's kernel has no KSM");
	return control_fail(err, -e, "The host does not do it (%s); the guest goes on as it was", strerror(-e));
}

int machine_dedup(void *machine, enum control_dedup what, int store, const struct control_range *range, unsigned n,
                  struct control_merged *ret_merged, struct control_error *err)
{
	struct machine *m = machine;
	struct merge merge = {.mem = &m->vm->mem, .s2 = &m->vm->stage2, .store = store, .pagemap = touched_open()};
	struct progress p = {.range = range, .n = n};
	uint64_t us = 0;
	int e = check_backing(m->vm, err);

	if (e == 0)
		e = check(m->vm, what, store, range, n, err);
	if (e == 0 && n)
		e = what == CONTROL_TAKE ? work_paused(m, &p, what, &merge, &us, err)
		                         : work(m->vm, &p, what, &merge, err);
	if (merge.pagemap >= 0)
		close(merge.pagemap);
	if (e < 0)
		return err->class ? e : refused(what, e, err);
	*ret_merged = (struct control_merged){.bytes = p.bytes, .pages = merge.sum, .pause_us = us};
	return 0;
}

static void add_run(void *ctx, const struct merge_run *run)
{
	json_array_append_new(ctx, json_pack("[I, I, I, I]", (json_int_t)gpa_raw(run->gpa), (json_int_t)run->size,
	                                     (json_int_t)run->store, (json_int_t)run->offset));
}

json_t *machine_dedup_places(void *machine, uint64_t gpa, uint64_t size, struct control_error *err)
{
	struct vm *vm = ((struct machine *)machine)->vm;
	const struct merge merge = {.mem = &vm->mem, .s2 = &vm->stage2, .pagemap = touched_open()};
	json_t *runs = json_array();
	int r = 0;

	if (gpa + size > maddr_raw(guest_mem_end(&vm->mem)))
		r = control_fail(err, EINVAL, "The range ends behind guest memory");
	if (r == 0 && vm_lock_reclaim(vm) < 0)
		r = busy(err);
	if (r == 0) {
		r = merge_places(&merge, gpa_init(gpa), size, add_run, runs);
		vm_unlock_reclaim(vm);
		if (r < 0)
			control_fail(err, -r, "The host does not tell of its pages (%s)", strerror(-r));
	}
	if (merge.pagemap >= 0)
		close(merge.pagemap);
	if (r == 0)
		return runs;
	json_decref(runs);
	return NULL;
}
