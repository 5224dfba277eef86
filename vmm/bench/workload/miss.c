/* SPDX-License-Identifier: MIT */
#include "bench/workload/miss.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "bench/workload/miss_arena.h"
#include "bench/workload/turn.h"
#include "kvm/cpuid.h"

#define QUICK_SECONDS 4.0 /* of turns, for each page size */
#define FULL_SECONDS  90.0
#define PRECISION     0.02
#define CHILD_SECONDS 120 /* more than the turns' */
#define TABLE_SETS    6

/* The environments that take part; the native ones are what the others are compared with. */
static unsigned who_of(unsigned where, bool aa)
{
	unsigned set = 0;

	for (int who = 0; who < MISS_NR_WHO; who++)
		if (aa || who == MISS_NATIVE_AGAIN || !miss_who[who].again)
			set |= (where >> miss_who[who].where & 1) << who;
	return set;
}

/* kvm_pvm ends a guest that has an entry of 1 GiB. Shadow mode gives it none. */
static unsigned unable(const struct miss_request *q, const struct host_info *h)
{
	return q->kind == ARENA_GIANT && h->second_stage == HOST_STAGE_SOFTWARE_PVM
	           ? 1 << MISS_NESTED | 1 << MISS_NESTED_AGAIN
	           : 0;
}

/* `seconds`: of turns, where the plan does not say. The loop written by hand is one of loads. */
static void fill_in(struct miss_request *q, const struct bench_plan *plan, double seconds)
{
	q->image = plan->file[BENCH_COST];
	q->who = who_of(plan->where, plan->aa) & ~(q->app ? 1u << MISS_REFERENCE : 0);
	q->unable = q->who & unable(q, plan->host);
	q->who &= ~q->unable;
	q->turns = plan->rounds < MISS_MAX_TURNS ? plan->rounds : MISS_MAX_TURNS;
	q->seconds = plan->max_seconds > 0 ? plan->max_seconds : seconds;
	q->precision = plan->precision > 0 ? plan->precision : PRECISION;
	q->cpu = plan->cpu;
	q->seed = plan->seed;
}

/*
 * What a run takes: its arena, and where pages lie apart one to three tables for each page, six times: a process's, either
 * guest's, KVM's shadows of these two, and shadow mode's; and the broom. Other tables are a five hundredth of the arena.
 */
static uint64_t memory_of(const struct miss_request *q)
{
	uint64_t bytes = miss_arena_bytes(q);

	if (q->kind != ARENA_APART)
		return bytes;
	for (size_t i = 0; i < q->nr_rings; i++)
		if (!q->ring[i].cold)
			bytes += TABLE_SETS * CHASE_PAGE * q->ring[i].pages * q->ring[i].stride;
	return bytes + miss_broom_bytes();
}

/* Gives the mapping its reason if it cannot be measured; of a pool that is too small the run itself says so. */
static void rule_out(struct miss_results *res, size_t i)
{
	const struct host_info *h = res->plan->host;
	const struct miss_request *q = &res->request[i];

	reason_without_kvm(&res->na[i], h);
	if (!*res->na[i] && bench_times_na(h))
		reason_set(&res->na[i], bench_times_na(h));
	if (!*res->na[i] && q->kind == ARENA_GIANT && !cpuid_gbpages())
		reason_set(&res->na[i], "this CPU has no pages of 1 GiB");
	if (!backing_is_pool(q->backing))
		reason_without_memory(&res->na[i], h, memory_of(q));
}

int miss_begin(struct miss_results *res, const struct bench_plan *plan, int (*choose)(struct miss_results *res),
               double quick, double full)
{
	int r;

	res->plan = plan;
	r = choose(res);
	for (size_t i = 0; r == 0 && i < res->nr; i++) {
		struct miss_request *q = &res->request[i];
		void *p = mmap(NULL, sizeof(*q->samples), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

		if (p == MAP_FAILED)
			return -errno;
		q->samples = p;
		fill_in(q, plan, plan->quick ? quick : full);
		rule_out(res, i);
	}
	return r;
}

static int begin(void *results, const struct bench_plan *plan)
{
	return miss_begin(results, plan, miss_choose, QUICK_SECONDS, FULL_SECONDS);
}

size_t miss_nr_cases(const void *results)
{
	return ((const struct miss_results *)results)->nr;
}

/* A round is a turn of each environment: the first of the runner's takes them all. */
bool miss_is_due(const void *results, size_t i)
{
	const struct miss_results *res = results;

	return !*res->na[i] && !res->request[i].samples->turns;
}

static void describe(const void *results, size_t i, char *ret_text, size_t size)
{
	const struct miss_results *res = results;

	char words[MISS_MAPPING_WORDS];

	snprintf(ret_text, size, "%s, up to %.0f s", miss_mapping_words(&res->request[i], words),
	         res->request[i].seconds);
}

int miss_turn(void *results, const struct turn *turn)
{
	struct miss_results *res = results;
	struct turn t = *turn;
	int r;

	t.limits.seconds = (int)res->request[turn->i].seconds + CHILD_SECONDS;
	r = turn_call(&t, miss_turns, &res->request[turn->i], &res->na[turn->i]);
	if (r == 0)
		miss_scale(res->request[turn->i].samples);
	return r;
}

void miss_release(void *results)
{
	struct miss_results *res = results;

	for (size_t i = 0; i < res->nr; i++)
		if (res->request[i].samples)
			munmap(res->request[i].samples, sizeof(*res->request[i].samples));
}

const struct workload miss_workload = {
    .name = "miss",
    .what = "loads that miss the TLB, over the same memory in turns of milliseconds",
    .needs = 1 << BENCH_COST,
    .in_full = true,
    .in_quick = true,
    .has_arena = true,
    .rounds = MISS_MAX_TURNS,
    .quick_rounds = MISS_MAX_TURNS,
    .untimed_rounds = 1,
    .results_size = sizeof(struct miss_results),
    .begin = begin,
    .nr_cases = miss_nr_cases,
    .is_due = miss_is_due,
    .describe = describe,
    .turn = miss_turn,
    .interrupted = miss_interrupted,
    .any = miss_any,
    .tables = {miss_report, miss_levels},
    .find = miss_find,
    .explain = miss_explain,
    .release = miss_release,
};
