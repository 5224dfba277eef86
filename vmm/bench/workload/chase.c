/* SPDX-License-Identifier: MIT */
#include "bench/workload/chase.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/process.h"
#include "bench/workload/turn.h"

#define GUEST_MIB     32 /* for the kernel, its tables and 2 MiB alignment, besides the arena */
#define GUEST_WORDS   128
#define UNTIMED_LOADS 16 /* where only references count */
#define QUICK_SECONDS 30.0

static const uint32_t quick_sizes[] = {16, 256, 1024, 8192, 65536};
static const uint32_t full_sizes[] = {16, 64, 256, 512, 1024, 2048, 4096, 8192, 16384, 32768, 65536};

/* The arguments of `gnomon run` for a request, in text that the caller keeps. */
struct guest_command {
	char memory[24], sizes[GUEST_WORDS], loads[24], seed[24];
	const char *argv[16];
};

/* Cases are numbered by page size, within each by environment. */
static enum bench_where where_of(size_t i)
{
	return i % BENCH_NR_WHERE;
}

static enum chase_page page_of(size_t i)
{
	return i / BENCH_NR_WHERE;
}

/* Of one measurement, where times mean something. */
static uint64_t timed_loads(bool quick)
{
	return quick ? 200000 : 1000000;
}

static void guest_command_init(const char *image, enum bench_where where, const struct chase_request *q,
                               struct guest_command *c)
{
	const uint64_t arena = q->pages[q->nr_sizes - 1] * CHASE_PAGE;
	size_t n = 0;

	snprintf(c->memory, sizeof(c->memory), "%" PRIu64 "M", ((arena >> 21) + 1) * 2 + GUEST_MIB);
	for (size_t i = 0; i < q->nr_sizes; i++)
		n += snprintf(c->sizes + n, sizeof(c->sizes) - n, "%s%" PRIu32, i ? "," : "", q->pages[i]);
	BUG_ON(n >= sizeof(c->sizes));
	snprintf(c->loads, sizeof(c->loads), "%" PRIu64, q->loads);
	snprintf(c->seed, sizeof(c->seed), "%" PRIu64, q->seed);
	memcpy(c->argv,
	       (const char *[]){process_self(), "run", "--paging", bench_environments[where].paging, "--memory",
	                        c->memory, "--backing", q->huge ? "thp" : "4k", image, "--", "chase", c->sizes,
	                        c->loads, q->huge ? "2m" : "4k", c->seed, NULL},
	       sizeof(c->argv));
}

static const char *parse_words(int r)
{
	switch (r) {
	case -ENODATA:
		return "a result is missing from its output";
	case -EINVAL:
		return "its output has a result that was not asked for";
	default:
		return "its output has a line that is no result";
	}
}

/* The host may map a later round's guest otherwise. */
static void unite(struct chase_refs *refs, const struct chase_refs *more)
{
	if (more->low && (!refs->low || more->low < refs->low))
		refs->low = more->low;
	if (more->high > refs->high)
		refs->high = more->high;
}

/* One run's samples, of the numbers of pages from `from` on. */
static void take_samples(struct chase_results *res, const struct turn *turn, const struct chase_ticks *ticks,
                         size_t from, size_t nr)
{
	for (size_t n = 0; n < nr; n++) {
		struct chase_series *s = &res->series[where_of(turn->i)][page_of(turn->i)][from + n];

		s->sparse[turn->round] = ticks[n].sparse;
		s->dense[turn->round] = ticks[n].dense;
		unite(&s->refs, &ticks[n].refs);
	}
}

static int run_child(const struct chase_results *res, const struct turn *turn, const struct chase_request *q,
                     bench_reason *na)
{
	const enum bench_where where = where_of(turn->i);
	struct guest_command command;

	if (!bench_environments[where].paging)
		return turn_call(turn, chase_native, q, na);
	guest_command_init(res->plan->file[BENCH_KERNEL], where, q, &command);
	return turn_exec(turn, command.argv, na);
}

/* The largest number of pages is a part of its own. */
static int take_turn(void *results, const struct turn *turn)
{
	struct chase_results *res = results;
	const size_t from = turn->parts & TURN_SMALL ? 0 : res->nr_sizes - 1;
	const size_t to = turn->parts & TURN_LARGEST ? res->nr_sizes : res->nr_sizes - 1;
	bench_reason *na = &res->na[where_of(turn->i)][page_of(turn->i)];
	struct chase_request q = {.nr_sizes = to - from,
	                          .huge = page_of(turn->i) == CHASE_2M,
	                          .loads = res->loads,
	                          .seed = res->plan->seed + turn->round};
	struct chase_ticks ticks[CHASE_MAX_SIZES];
	int r;

	memcpy(q.pages, res->pages + from, q.nr_sizes * sizeof(*q.pages));
	r = run_child(res, turn, &q, na);
	if (r < 0 || **na)
		return r;
	r = chase_output_parse(turn->child->out, turn->child->out_len, &q, ticks);
	if (r < 0)
		reason_set(na, parse_words(r));
	else
		take_samples(res, turn, ticks, from, q.nr_sizes);
	return 0;
}

/* A process has nothing but times. All touch each page of the longest ring. */
static void rule_out(struct chase_results *res)
{
	const uint64_t bytes = (uint64_t)res->pages[res->nr_sizes - 1] * CHASE_PAGE;
	const struct host_info *h = res->plan->host;

	for (int page = 0; page < CHASE_NR_PAGES; page++)
		for (int w = 0; w < BENCH_NR_WHERE; w++) {
			if (bench_environments[w].paging)
				reason_without_kvm(&res->na[w][page], h);
			else if (bench_times_na(h))
				reason_set(&res->na[w][page], bench_times_na(h));
			reason_without_memory(&res->na[w][page], h, bytes);
		}
}

static void note(bool quick, struct report_environment *env)
{
	env->loads = (long)timed_loads(quick);
}

static int begin(void *results, const struct bench_plan *plan)
{
	struct chase_results *res = results;
	int r = 0;

	res->plan = plan;
	res->pages = plan->quick ? quick_sizes : full_sizes;
	res->nr_sizes = (plan->quick ? sizeof(quick_sizes) : sizeof(full_sizes)) / sizeof(*res->pages);
	res->loads = bench_times_na(plan->host) ? UNTIMED_LOADS : timed_loads(plan->quick);
	rule_out(res);
	for (int w = 0; w < BENCH_NR_WHERE; w++)
		for (int page = 0; page < CHASE_NR_PAGES; page++)
			for (size_t i = 0; r == 0 && i < res->nr_sizes; i++) {
				struct chase_series *s = &res->series[w][page][i];

				r = series_pair(plan->rounds, &s->sparse, &s->dense);
			}
	return r;
}

static size_t nr_cases(const void *results)
{
	return BENCH_NR_WHERE * CHASE_NR_PAGES;
}

static bool is_due(const void *results, size_t i)
{
	const struct chase_results *res = results;

	return res->plan->where >> where_of(i) & 1 && !*res->na[where_of(i)][page_of(i)];
}

static size_t group_end(const void *results, size_t first)
{
	return first + BENCH_NR_WHERE;
}

static void describe(const void *results, size_t i, char *ret_text, size_t size)
{
	snprintf(ret_text, size, "%s, %s pages", bench_environments[where_of(i)].name,
	         page_of(i) == CHASE_2M ? "2 MiB" : "4 KiB");
}

static void finish(void *results, const struct bench_run *run)
{
	struct chase_results *res = results;

	res->tsc_mhz = run->tsc_mhz;
	for (size_t i = 0; i < res->nr_sizes; i++) {
		res->rounds[i] = run->done[i + 1 < res->nr_sizes ? BOUND_SMALL : BOUND_LARGEST];
		for (int w = 0; w < BENCH_NR_WHERE; w++)
			for (int page = 0; page < CHASE_NR_PAGES; page++)
				series_scale(res->series[w][page][i].sparse, res->series[w][page][i].dense,
				             res->rounds[i], 1e3 / res->tsc_mhz);
	}
}

static bool any(const void *results)
{
	for (size_t i = 0; i < nr_cases(results); i++)
		if (is_due(results, i))
			return true;
	return false;
}

static void release(void *results)
{
	struct chase_results *res = results;

	for (int w = 0; w < BENCH_NR_WHERE; w++)
		for (int page = 0; page < CHASE_NR_PAGES; page++)
			for (size_t i = 0; i < CHASE_MAX_SIZES; i++)
				free(res->series[w][page][i].sparse);
}

const struct workload chase_workload = {
    .name = "chase",
    .what = "what a TLB miss costs, as a process of the host and in a guest",
    .needs = 1 << BENCH_KERNEL,
    .in_quick = true,
    .in_full = true,
    .rounds = 25,
    .quick_rounds = 7,   /* about 25 s on two slow CPUs */
    .untimed_rounds = 1, /* one round tells how long the walks are */
    .quick_seconds = QUICK_SECONDS,
    .fewest = {[BOUND_SMALL] = CHASE_FEWEST, [BOUND_LARGEST] = CHASE_FEWEST_LARGEST},
    .results_size = sizeof(struct chase_results),
    .note = note,
    .begin = begin,
    .nr_cases = nr_cases,
    .is_due = is_due,
    .group_end = group_end,
    .describe = describe,
    .turn = take_turn,
    .finish = finish,
    .any = any,
    .tables = {chase_report, chase_ratio_report},
    .find = chase_find,
    .explain = chase_explain,
    .release = release,
};
