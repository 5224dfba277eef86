/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <math.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include "base/clock.h"
#include "bench/workload/miss.h"
#include "bench/workload/miss_vm.h"
#include "mem/backing.h"
#include "mem/host_page.h"
#include "paging/switch.h"

#define BLOCK_NS    2e6  /* of timed loads */
#define FIRST_LOADS 4096 /* by which a block's loads are found */
#define WARM_MOST   4096 /* loads: more than a TLB has entries */
#define FEWEST      48   /* turns before the first look at the precision, and between two looks */
#define LOOK_EVERY  16
#define ALIGN(n)    (((n) + 15) / 16 * 16)

struct run {
	const struct miss_request *q;
	uint64_t bytes;
	struct miss_vm *vm[MISS_NR_WHO]; /* of guests */
	uint64_t line[MISS_NR_WHO][MISS_MAX_SIZES];
	uint64_t loads[MISS_MAX_SIZES];
	uint64_t random;
};

/* ---- the arena ---- */

/* What was asked for is what there is, or the row would be another. */
static int check_pages(const uint8_t *arena, uint64_t bytes)
{
	uint8_t *page = calloc(bytes / PAGE_2M + 1, 1); /* not of 0 bytes */
	unsigned long long huge = 0;

	if (!page)
		return -ENOMEM;
	host_page_find(arena, bytes, page);
	for (uint64_t n = 0; n < bytes / PAGE_2M; n++)
		huge += page[n] != HOST_PAGE_SMALL;
	free(page);
	if (huge * PAGE_2M == bytes)
		return 0;
	log_error("the host gave %llu of %llu pages of 2 MiB (see THP in `gnomon host`)", huge,
	          (unsigned long long)(bytes / PAGE_2M));
	return -ENOMEM;
}

static int map_arena(const struct run *run)
{
	const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE;
	uint8_t *p = mmap((void *)ARENA_AT, run->bytes, PROT_READ | PROT_WRITE, flags, -1, 0);

	if (p == MAP_FAILED)
		return log_errno(errno, "no memory for an arena of %llu MiB", (unsigned long long)(run->bytes >> 20));
	backing_advise(run->q->huge ? BACKING_THP : BACKING_4K, p, run->bytes);
	for (uint64_t at = 0; at < run->bytes; at += PAGE_SIZE)
		p[at] = 1;
	for (size_t i = 0; i < run->q->nr_sizes; i++)
		arena_build(p, run->q->pages[i], i, run->q->seed + i);
	return run->q->huge ? check_pages(p, run->bytes) : 0;
}

/* ---- a block ---- */

static bool takes_part(const struct run *run, enum miss_who who)
{
	return run->q->who >> who & 1;
}

static uint64_t lost_cpu(const struct run *run, enum miss_who who)
{
	struct rusage usage;

	if (run->vm[who])
		return miss_vm_disturbances(run->vm[who]);
	getrusage(RUSAGE_THREAD, &usage);
	return usage.ru_nivcsw;
}

/* A ring of `size`, where this environment left it. Ticks a load in *ret. */
static int run_block(struct run *run, enum miss_who who, size_t size, uint64_t loads, double *ret)
{
	const uint32_t pages = run->q->pages[size];
	struct arena_block b = {
	    .line = run->line[who][size], .warm = ALIGN(pages < WARM_MOST ? pages : WARM_MOST), .loads = loads};
	int r = 0;

	if (run->vm[who])
		r = miss_vm_run(run->vm[who], &b);
	else
		arena_run(&b);
	run->line[who][size] = b.line;
	*ret = (double)b.tsc / loads;
	return r;
}

static int take_sample(struct run *run, enum miss_who who, size_t size, uint32_t turn)
{
	struct miss_series *s = &run->q->samples->series[size];
	const uint64_t lost = lost_cpu(run, who), exits = run->vm[who] ? miss_vm_exits(run->vm[who]) : 0;
	int r = run_block(run, who, size, run->loads[size], &s->ns[who][turn]);

	s->disturbed[who] += lost_cpu(run, who) != lost;
	s->loads[who] += run->loads[size];
	s->exits[who] += (run->vm[who] ? miss_vm_exits(run->vm[who]) : 0) - exits;
	return r;
}

/* ---- turns ---- */

/* Each environment once, in a random order. */
static int take_turn(struct run *run, size_t size, uint32_t turn)
{
	enum miss_who order[MISS_NR_WHO] = {0};
	int r = 0;

	for (int n = 0; n < MISS_NR_WHO; n++) {
		const int at = chase_random(&run->random) % (n + 1);

		order[n] = order[at];
		order[at] = n;
	}
	for (int n = 0; r == 0 && n < MISS_NR_WHO; n++)
		if (takes_part(run, order[n]))
			r = take_sample(run, order[n], size, turn);
	return r;
}

/* From line 0 of the ring, once round it and a bit more: all come to the same line, or they do not chase the same ring. */
static int take_lap(struct run *run, size_t size)
{
	const uint64_t loads = ALIGN(run->q->pages[size]);
	double ticks;

	for (int who = 0; who < MISS_NR_WHO; who++) {
		int r;

		run->line[who][size] = (uintptr_t)arena_line((void *)ARENA_AT, 0, size);
		if (!takes_part(run, who))
			continue;
		r = run_block(run, who, size, loads, &ticks);
		if (r < 0)
			return r;
		if (run->line[who][size] != run->line[MISS_NATIVE][size]) {
			log_error("a guest did not chase through the same lines");
			return -EIO;
		}
	}
	return 0;
}

/* A lap of each ring by each environment, and how many loads make a block. */
static int prepare(struct run *run, double tsc_mhz)
{
	double ticks = 0;
	int r = 0;

	for (size_t i = 0; r == 0 && i < run->q->nr_sizes; i++) {
		r = take_lap(run, i);
		if (r == 0)
			r = run_block(run, MISS_NATIVE, i, FIRST_LOADS, &ticks);
		run->loads[i] = ALIGN((uint64_t)(BLOCK_NS * tsc_mhz / 1e3 / fmax(ticks, 1)));
	}
	return r;
}

static bool is_precise(const struct run *run, uint32_t turns)
{
	double precision;

	return turns >= FEWEST && turns % LOOK_EVERY == 0 && miss_precision(run->q, turns, &precision) == 0 &&
	       precision <= run->q->precision;
}

static int take_turns(struct run *run)
{
	const int64_t began = clock_us();
	struct miss_samples *s = run->q->samples;
	int r = 0;

	while (r == 0 && s->turns < run->q->turns && !is_precise(run, s->turns) &&
	       ((clock_us() - began) / 1e6 < run->q->seconds || !s->turns)) {
		for (size_t i = 0; r == 0 && i < run->q->nr_sizes; i++)
			r = take_turn(run, i, s->turns);
		s->turns += r == 0;
	}
	return r;
}

/* ---- the run ---- */

/* Threads that are made later inherit it. */
static int stay_on_one_cpu(int wanted)
{
	const int cpu = wanted >= 0 ? wanted : sched_getcpu();
	cpu_set_t set;

	CPU_ZERO(&set);
	if (cpu >= 0)
		CPU_SET(cpu, &set);
	return cpu < 0 || sched_setaffinity(0, sizeof(set), &set) < 0 ? log_errno(errno, "cannot stay on one CPU") : 0;
}

static int start_guests(struct run *run)
{
	const struct miss_request *q = run->q;

	for (int who = MISS_NESTED; who < MISS_NR_WHO; who++) {
		const struct miss_vm_config c = {.paging = paging_by_name(miss_who[who].name),
		                                 .image = q->image,
		                                 .arena = (void *)ARENA_AT,
		                                 .pages = q->pages[q->nr_sizes - 1],
		                                 .huge = q->huge};

		if (!takes_part(run, who))
			continue;
		run->vm[who] = miss_vm_start(&c);
		if (!run->vm[who])
			return -EIO;
	}
	return 0;
}

/* Of 10 ms: enough to find the length of a block. */
static double tsc_rate(int64_t us, uint64_t tsc)
{
	while (clock_us() - us < 10000)
		;
	return (double)(chase_tsc() - tsc) / (clock_us() - us);
}

static void scale(struct run *run, double by)
{
	for (size_t i = 0; i < run->q->nr_sizes; i++)
		for (int who = 0; who < MISS_NR_WHO; who++)
			for (uint32_t n = 0; n < run->q->samples->turns; n++)
				run->q->samples->series[i].ns[who][n] *= by;
}

int miss_turns(const void *request)
{
	const struct miss_request *q = request;
	struct run run = {.q = q, .random = q->seed * 2 + 1};
	const int64_t us = clock_us();
	const uint64_t tsc = chase_tsc();
	int r;

	run.bytes = (q->pages[q->nr_sizes - 1] * PAGE_SIZE + PAGE_2M - 1) & -PAGE_2M;
	r = stay_on_one_cpu(q->cpu);
	if (r == 0)
		r = map_arena(&run);
	if (r == 0)
		r = start_guests(&run);
	if (r == 0)
		r = prepare(&run, tsc_rate(us, tsc));
	if (r == 0)
		r = take_turns(&run);
	scale(&run, 1e3 / tsc_rate(us, tsc));
	for (int who = 0; who < MISS_NR_WHO; who++)
		miss_vm_stop(run.vm[who]);
	return r < 0;
}
