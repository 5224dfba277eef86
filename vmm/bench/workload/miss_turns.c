/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <math.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "bench/workload/miss.h"
#include "bench/workload/miss_arena.h"
#include "bench/workload/miss_clock.h"
#include "bench/workload/miss_native.h"
#include "bench/workload/miss_steal.h"
#include "bench/workload/miss_vm.h"
#include "paging/switch.h"

#define BLOCK_NS    2e6  /* of timed loads */
#define FIRST_LOADS 4096 /* by which a block's loads are found */
#define COLD_LOADS                                                                                                     \
	512 /* after a sweep: of an eighth of a lap, so that no entry's line comes twice where pages lie apart */
#define COUNTED     16 /* pages of a ring whose walks the model counts */
#define FEWEST      48 /* turns before the first look at the precision */
#define LOOK_AGAIN  8  /* behind an eighth more turns: a look takes as long as some of them */
#define MOST_JUMPS  16 /* of the clock: then it is none */

struct run {
	const struct miss_request *q;
	struct miss_broom *broom;        /* NULL: no ring is cold */
	struct miss_vm *vm[MISS_NR_WHO]; /* of guests */
	struct miss_native *native[MISS_NR_WHO]; /* of the others */
	uint64_t loads[MISS_MAX_RINGS];
	uint64_t random;
	double rate;        /* of the TSC, ticks a microsecond */
	uint64_t timed;     /* ticks that the last block's loads took, with all that came between */
	uint64_t ticks, us; /* of the turns that count: by these the rate is known better in the end */
};

/* ---- a block ---- */

static bool takes_part(const struct run *run, enum miss_who who)
{
	return run->q->who >> who & 1;
}

static struct miss_hand *hand_of(const struct run *run, enum miss_who who)
{
	return run->vm[who] ? miss_vm_hand(run->vm[who]) : miss_native_hand(run->native[who]);
}

/*
 * `loads` from page `from` of a ring on, or so many operations of the application. Ticks for each in *ret_ticks; in
 * *ret_line the line behind, or the application's sum.
 */
static int run_block(struct run *run, enum miss_who who, size_t ring, uint64_t from, uint64_t loads, double *ret_ticks,
                     uint64_t *ret_line)
{
	const struct miss_ring *is = &run->q->ring[ring];
	struct arena_block b = {.line = (uintptr_t)arena_line(is->stride, from, ring),
	                        .loads = loads,
	                        .warm = miss_warm_loads(is),
	                        .bytes = is->pages * CHASE_PAGE,
	                        .app = run->q->app};
	int r;

	if (b.app)
		b.line = (from + 1) *
		         0x9e3779b97f4a7c15; /* a state: never 0, and anywhere in what is gone through in order */

	if (is->cold)
		miss_broom_sweep(run->broom);
	r = run->vm[who] ? miss_vm_run(run->vm[who], &b) : miss_native_do(run->native[who], &b);
	if (r < 0)
		return r;
	if (!miss_is_done(&b, loads)) {
		log_error("the guest in %s mode is not of this gnomon's build", miss_who[who].name);
		return -EIO;
	}
	*ret_line = b.line;
	*ret_ticks = miss_ticks(&b);
	run->timed = b.tsc;
	return 0;
}

/* Of the block that was just done. */
static void count_misses(struct run *run, enum miss_who who, size_t ring)
{
	const struct miss_ring *is = &run->q->ring[ring];
	const struct miss_hand *hand = hand_of(run, who);
	struct miss_series *s = &run->q->samples->series[ring];

	if (hand->pmu_error < 0) {
		run->q->samples->pmu_error = -hand->pmu_error;
		return;
	}
	s->dtlb[who] += hand->misses;
	s->counted[who] += run->loads[ring] + miss_warm_loads(is);
}

/*
 * Each begins anywhere: from one and the same page on, the first of a turn would bring into the caches what the others
 * then find there.
 */
static int take_sample(struct run *run, enum miss_who who, size_t ring, uint32_t turn)
{
	struct miss_series *s = &run->q->samples->series[ring];
	const struct miss_hand *hand = hand_of(run, who);
	const uint64_t lost = hand->disturbances, exits = run->vm[who] ? miss_vm_exits(run->vm[who]) : 0;
	const uint64_t events = run->vm[who] ? miss_vm_shadow_events(run->vm[who]) : 0;
	const uint64_t from = chase_random(&run->random) % run->q->ring[ring].pages;
	const int64_t began = clock_us();
	uint64_t line;
	int r = run_block(run, who, ring, from, run->loads[ring], &s->ns[who][turn], &line);

	if (r == 0)
		count_misses(run, who, ring);
	run->q->samples->in_blocks += (clock_us() - began) / 1e6;
	run->q->samples->timed += run->timed / run->rate / 1e6;
	s->disturbed[who][turn] = hand->disturbances != lost;
	s->loads[who] += run->loads[ring];
	if (run->vm[who]) {
		s->exits[who] += miss_vm_exits(run->vm[who]) - exits - 1; /* less the one by which it ended */
		s->shadow_events[who] += miss_vm_shadow_events(run->vm[who]) - events;
	}
	return r;
}

/* ---- turns ---- */

/* Each environment once, in a random order. */
static int take_turn(struct run *run, size_t ring, uint32_t turn)
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
			r = take_sample(run, order[n], ring, turn);
	return r;
}

/* Of pages all over the ring, by the tables that the lap has left. */
static void count_refs(struct run *run, enum miss_who who, size_t ring)
{
	const struct miss_ring *is = &run->q->ring[ring];
	uint64_t at[COUNTED];

	for (size_t i = 0; i < COUNTED; i++)
		at[i] = arena_page(is->stride, i * is->pages / COUNTED);
	run->q->samples->series[ring].refs[who] = miss_vm_refs(run->vm[who], at, COUNTED);
}

/*
 * From page 0 of the ring, once round it and a bit more: all come to the same line, or they do not chase the same ring.
 * An application does the same operations twice, by which `gups` undoes what it wrote.
 */
static int lap(struct run *run, enum miss_who who, size_t ring, uint64_t *ret_line)
{
	const uint64_t loads = MISS_WHOLE(run->q->ring[ring].pages);
	uint64_t again = 0;
	double ticks;
	int r = run_block(run, who, ring, 0, loads, &ticks, ret_line);

	if (r == 0 && run->q->app)
		r = run_block(run, who, ring, 0, loads, &ticks, &again);
	*ret_line += again;
	return r;
}

static int take_lap(struct run *run, size_t ring)
{
	uint64_t line, wanted = 0;

	for (int who = 0; who < MISS_NR_WHO; who++) {
		int r;

		if (!takes_part(run, who))
			continue;
		r = lap(run, who, ring, &line);
		if (r < 0)
			return r;
		if (wanted && line != wanted) {
			log_error("a guest did not find the same in memory");
			return -EIO;
		}
		wanted = line;
		if (run->vm[who])
			count_refs(run, who, ring);
	}
	return 0;
}

/* A block's loads, rounded up. */
static uint64_t whole_parts(double loads)
{
	const uint64_t unit = 16 * ARENA_PARTS;

	return ((uint64_t)loads / unit + 1) * unit;
}

/* A lap of each ring by each environment, and how many loads make a block. */
static int prepare(struct run *run)
{
	double ticks = 0;
	uint64_t line;
	int r = 0;

	for (size_t i = 0; r == 0 && i < run->q->nr_rings; i++) {
		r = take_lap(run, i);
		if (r == 0)
			r = run_block(run, MISS_NATIVE, i, 0, FIRST_LOADS, &ticks, &line);
		run->loads[i] =
		    run->q->ring[i].cold ? COLD_LOADS : whole_parts(BLOCK_NS * run->rate / 1e3 / fmax(ticks, 1));
	}
	return r;
}

/* Asked after each turn. */
static bool is_precise(const struct run *run, uint32_t turns, uint32_t *look)
{
	double precision;

	if (turns < *look)
		return false;
	*look = turns + turns / LOOK_AGAIN + 1;
	return miss_precision(run->q, turns, &precision) == 0 && precision <= run->q->precision;
}

/* A turn in each ring. It counts if the clocks agreed. */
static int take_turns_once(struct run *run)
{
	struct miss_samples *s = run->q->samples;
	const struct miss_moment before = miss_now();
	struct miss_moment after;

	for (size_t i = 0; i < run->q->nr_rings; i++) {
		const int r = take_turn(run, i, s->turns);

		if (r < 0)
			return r;
	}
	after = miss_now();
	if (miss_clocks_agree(before, after, run->rate)) {
		run->ticks += after.tsc - before.tsc;
		run->us += after.us - before.us;
		s->rate = (double)run->ticks / run->us;
		s->turns++; /* last: who reads them may end this process at any time */
		return 0;
	}
	if (++s->jumps <= MOST_JUMPS)
		return 0;
	log_error("the TSC and the host's clock do not agree: this host cannot time anything");
	return -EIO;
}

static int take_turns(struct run *run)
{
	const int64_t began = clock_us();
	const double before = miss_steal();
	struct miss_samples *s = run->q->samples;
	uint32_t look = FEWEST;
	int r = 0;

	s->in_blocks = s->timed = 0;
	while (r == 0 && s->turns < run->q->turns && !is_precise(run, s->turns, &look) &&
	       (s->seconds < run->q->seconds || !s->turns)) {
		r = take_turns_once(run);
		s->seconds = (clock_us() - began) / 1e6;
		s->stolen = miss_steal() - before;
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

static int start_hands(struct run *run)
{
	const struct miss_request *q = run->q;

	for (int who = 0; who < MISS_NR_WHO; who++) {
		const struct miss_vm_config c = {.paging = paging_by_name(miss_who[who].name),
		                                 .image = q->image,
		                                 .arena = (void *)ARENA_AT,
		                                 .bytes = miss_arena_bytes(q),
		                                 .kind = q->kind};

		if (!takes_part(run, who))
			continue;
		if (miss_who[who].again) {
			run->vm[who] = run->vm[miss_who[who].of];
			run->native[who] = run->native[miss_who[who].of];
		} else if (miss_who[who].where == BENCH_NATIVE) {
			run->native[who] = miss_native_start(who == MISS_REFERENCE ? miss_reference : arena_run);
		} else {
			run->vm[who] = miss_vm_start(&c);
		}
		if (!run->vm[who] && !run->native[who])
			return -EIO;
	}
	return 0;
}

static void stop_hands(struct run *run)
{
	for (int who = 0; who < MISS_NR_WHO; who++) {
		if (miss_who[who].again)
			continue;
		miss_vm_stop(run->vm[who]);
		miss_native_stop(run->native[who]);
	}
}

/* Of 10 ms: enough to find the length of a block, and to see a clock that jumps. */
static double tsc_rate(void)
{
	const struct miss_moment began = miss_now();

	while (clock_us() - began.us < 10000)
		;
	return miss_rate(began, miss_now());
}

static bool any_cold(const struct miss_request *q)
{
	for (size_t i = 0; i < q->nr_rings; i++)
		if (q->ring[i].cold)
			return true;
	return false;
}

int miss_turns(const void *request)
{
	const struct miss_request *q = request;
	struct run run = {.q = q, .random = q->seed * 2 + 1};
	int r = stay_on_one_cpu(q->cpu);

	run.rate = tsc_rate();
	if (r == 0)
		r = miss_arena_map(q);
	if (r == 0 && any_cold(q)) {
		run.broom = miss_broom_new();
		r = run.broom ? 0 : -ENOMEM;
	}
	if (r == 0)
		r = start_hands(&run);
	if (r == 0)
		r = prepare(&run);
	if (r == 0)
		r = take_turns(&run);
	stop_hands(&run);
	return r < 0;
}
