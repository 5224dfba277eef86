/* SPDX-License-Identifier: MIT */
#include "bench/workload/miss.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "bench/workload/turn.h"

#define QUICK_SECONDS 8.0 /* of turns, for each page size */
#define FULL_SECONDS  90.0
#define PRECISION     0.02
#define CHILD_SECONDS 120 /* more than the turns' */

static const uint32_t quick_sizes[] = {16, 256, 1024, 8192, 65536};
static const uint32_t full_sizes[] = {16, 64, 256, 512, 1024, 2048, 4096, 8192, 16384, 32768, 65536, 131072};

_Static_assert(sizeof(full_sizes) / sizeof(*full_sizes) <= MISS_MAX_RINGS, "room for the results");
_Static_assert(2 * ARENA_NR_STRIDES <= MISS_MAX_RINGS, "room for the results");

/* The environments that take part; the native ones are what the others are compared with. */
static unsigned who_of(unsigned where, bool aa)
{
	unsigned set = 0;

	for (int who = 0; who < MISS_NR_WHO; who++)
		if (aa || who == MISS_NATIVE_AGAIN || !miss_who[who].again)
			set |= (where >> miss_who[who].where & 1) << who;
	return set;
}

static void fill_in_sizes(struct miss_request *q, bool quick)
{
	const uint32_t *const sizes = quick ? quick_sizes : full_sizes;

	q->nr_rings = (quick ? sizeof(quick_sizes) : sizeof(full_sizes)) / sizeof(*sizes);
	for (size_t i = 0; i < q->nr_rings; i++)
		q->ring[i] = (struct miss_ring){.pages = sizes[i]};
}

static void fill_in_strides(struct miss_request *q)
{
	q->nr_rings = 2 * ARENA_NR_STRIDES;
	for (size_t i = 0; i < q->nr_rings; i++)
		q->ring[i] = (struct miss_ring){
		    .pages = ARENA_APART_PAGES, .stride = i % ARENA_NR_STRIDES, .cold = i >= ARENA_NR_STRIDES};
}

static void fill_in(struct miss_request *q, const struct bench_plan *plan, enum arena_kind kind)
{
	*q = (struct miss_request){.image = plan->file[BENCH_COST],
	                           .kind = kind,
	                           .who = who_of(plan->where, plan->aa),
	                           .turns = plan->rounds < MISS_MAX_TURNS ? plan->rounds : MISS_MAX_TURNS,
	                           .seconds = plan->max_seconds > 0 ? plan->max_seconds
	                                      : plan->quick         ? QUICK_SECONDS
	                                                            : FULL_SECONDS,
	                           .precision = plan->precision > 0 ? plan->precision : PRECISION,
	                           .cpu = plan->cpu,
	                           .seed = plan->seed};
	if (kind == ARENA_APART)
		fill_in_strides(q);
	else
		fill_in_sizes(q, plan->quick);
}

static int begin(void *results, const struct bench_plan *plan)
{
	struct miss_results *res = results;

	res->plan = plan;
	for (int kind = 0; kind < ARENA_NR_KINDS; kind++) {
		struct miss_request *q = &res->request[kind];
		void *p = mmap(NULL, sizeof(*q->samples), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

		if (p == MAP_FAILED)
			return -errno;
		fill_in(q, plan, kind);
		q->samples = p;
		reason_without_kvm(&res->na[kind], plan->host);
		if (!*res->na[kind] && bench_times_na(plan->host))
			reason_set(&res->na[kind], bench_times_na(plan->host));
	}
	return 0;
}

static size_t nr_cases(const void *results)
{
	return ARENA_NR_KINDS;
}

/* A round is a turn of each environment: the first of the runner's takes them all. */
static bool is_due(const void *results, size_t i)
{
	const struct miss_results *res = results;

	return !*res->na[i] && !res->request[i].samples->turns;
}

static void describe(const void *results, size_t i, char *ret_text, size_t size)
{
	const struct miss_results *res = results;

	snprintf(ret_text, size, "%s, up to %.0f s", miss_kind_words[i], res->request[i].seconds);
}

static int take_turn(void *results, const struct turn *turn)
{
	struct miss_results *res = results;
	struct turn t = *turn;

	t.limits.seconds = (int)res->request[turn->i].seconds + CHILD_SECONDS;
	return turn_call(&t, miss_turns, &res->request[turn->i], &res->na[turn->i]);
}

static bool any(const void *results)
{
	const struct miss_results *res = results;

	for (int kind = 0; kind < ARENA_NR_KINDS; kind++)
		if (!*res->na[kind])
			return true;
	return false;
}

static void release(void *results)
{
	struct miss_results *res = results;

	for (int kind = 0; kind < ARENA_NR_KINDS; kind++)
		if (res->request[kind].samples)
			munmap(res->request[kind].samples, sizeof(*res->request[kind].samples));
}

const struct workload miss_workload = {
    .name = "miss",
    .what = "loads that miss the TLB, over the same memory in turns of milliseconds",
    .needs = 1 << BENCH_COST,
    .rounds = MISS_MAX_TURNS,
    .quick_rounds = MISS_MAX_TURNS,
    .untimed_rounds = 1,
    .results_size = sizeof(struct miss_results),
    .begin = begin,
    .nr_cases = nr_cases,
    .is_due = is_due,
    .describe = describe,
    .turn = take_turn,
    .any = any,
    .tables = {miss_report, miss_levels},
    .find = miss_find,
    .explain = miss_explain,
    .release = release,
};
