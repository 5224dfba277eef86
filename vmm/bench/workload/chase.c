/* SPDX-License-Identifier: MIT */
#include "bench/workload/chase.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "bench/bound.h"
#include "base/process.h"
#include "bench/clock_parts.h"

#define GUEST_MIB   32 /* for the kernel, its tables and 2 MiB alignment, besides the arena */
#define GUEST_WORDS 128

/* An environment's turn in one round. */
struct turn {
	enum bench_where where;
	enum chase_page page;
};

/* What a round measures: numbers of pages, from one to before another; and how long it may take. */
struct part {
	size_t from, to;
	struct child_limits limits;
};

/* The arguments of `gnomon run` for a request, in text that the caller keeps. */
struct guest_command {
	char memory[24], sizes[GUEST_WORDS], loads[24], seed[24];
	const char *argv[16];
};

static void guest_command_init(const struct chase_plan *plan, const struct turn *turn, const struct chase_request *q,
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
	       (const char *[]){process_self(), "run", "--paging", bench_environments[turn->where].paging, "--memory",
	                        c->memory, "--backing", q->huge ? "thp" : "4k", plan->image, "--", "chase", c->sizes,
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

/* One run. 0, also when it failed, which leaves its reason; -EINTR; -ETIMEDOUT when it was short of time. */
static int take_turn(struct chase_results *res, const struct turn *turn, const struct part *part,
                     struct child_result *child)
{
	const struct chase_plan *plan = res->plan;
	const int round = res->rounds[part->from];
	struct chase_request q = {.nr_sizes = part->to - part->from,
	                          .huge = turn->page == CHASE_2M,
	                          .loads = plan->loads,
	                          .seed = plan->seed + round};
	char *na = res->na[turn->where][turn->page];
	struct chase_ticks ticks[CHASE_MAX_SIZES];
	struct guest_command command;
	int r;

	memcpy(q.pages, plan->pages + part->from, q.nr_sizes * sizeof(*q.pages));
	log_progress("chase: round %d of %d, %s, %s pages", round + 1, plan->rounds,
	             bench_environments[turn->where].name, q.huge ? "2 MiB" : "4 KiB");
	if (bench_environments[turn->where].paging) {
		guest_command_init(plan, turn, &q, &command);
		r = child_exec(command.argv, &part->limits, child);
	} else {
		r = child_call(chase_native, &q, &part->limits, child);
	}
	if (r == -EINTR || (r == -ETIMEDOUT && part->limits.seconds < plan->limits.seconds))
		return r;
	if (r < 0 || !child_succeeded(child)) {
		child_reason(r, child, na, sizeof(res->na[0][0]));
		return 0;
	}
	r = chase_output_parse(child->out, child->out_len, &q, ticks);
	if (r < 0) {
		snprintf(na, sizeof(res->na[0][0]), "%s", parse_words(r));
		return 0;
	}
	for (size_t i = 0; i < q.nr_sizes; i++) {
		struct chase_series *s = &res->series[turn->where][turn->page][part->from + i];

		s->sparse[round] = ticks[i].sparse;
		s->dense[round] = ticks[i].dense;
		unite(&s->refs, &ticks[i].refs);
	}
	return 0;
}

/* The round's turns: page sizes in turn, within each the environments in a random order, so that those to be
 * compared run close together and none always comes first. */
static int order_turns(unsigned where, uint64_t *random, struct turn *turns)
{
	int n = 0;

	for (enum chase_page page = CHASE_4K; page < CHASE_NR_PAGES; page++) {
		const int first = n;

		for (enum bench_where w = 0; w < BENCH_NR_WHERE; w++) {
			if (!(where >> w & 1))
				continue;
			const int at = first + chase_random(random) % (n - first + 1);

			turns[n++] = turns[at];
			turns[at] = (struct turn){w, page};
		}
	}
	return n;
}

/* Every environment's turn. 0: the round counts; -EINTR; -ETIMEDOUT. */
static int run_round(struct chase_results *res, const struct part *part, uint64_t *random, struct child_result *child)
{
	struct turn turns[BENCH_NR_WHERE * CHASE_NR_PAGES] = {0};
	const int n = order_turns(res->plan->where, random, turns);
	int r = 0;

	for (int i = 0; r == 0 && i < n; i++)
		if (!*res->na[turns[i].where][turns[i].page])
			r = take_turn(res, &turns[i], part, child);
	for (size_t i = part->from; r == 0 && i < part->to; i++)
		res->rounds[i]++;
	return r;
}

/* As many rounds as are wanted. 0 or -EINTR. */
static int run_rounds(struct chase_results *res, uint64_t *random, struct child_result *child)
{
	const struct part all = {.to = res->plan->nr_sizes, .limits = res->plan->limits};
	int r = 0;

	while (r == 0 && res->rounds[0] < res->plan->rounds)
		r = run_round(res, &all, random, child);
	return r;
}

/* As many as there is time for. 0 or -EINTR. */
static int run_bounded(struct chase_results *res, uint64_t *random, struct child_result *child)
{
	const struct chase_plan *plan = res->plan;
	const size_t last = plan->nr_sizes - 1;
	struct bound bound = {
	    .seconds = plan->seconds, .rounds = plan->rounds, .fewest = {CHASE_FEWEST, CHASE_FEWEST_LARGEST}};
	const double began = child_clock_ms();
	double start, limit;
	int part, r = 0;

	while ((r == 0 || r == -ETIMEDOUT) &&
	       (part = bound_next(&bound, ((start = child_clock_ms()) - began) / 1e3, &limit)) >= 0) {
		struct part p = {.from = part == BOUND_LARGEST ? last : 0,
		                 .to = part == BOUND_LARGEST ? last + 1 : last,
		                 .limits = plan->limits};

		if (limit > 0 && limit < p.limits.seconds)
			p.limits.seconds = (int)limit + 1;
		r = run_round(res, &p, random, child);
		bound_took(&bound, part, (child_clock_ms() - start) / 1e3, r == 0);
	}
	return r == -ETIMEDOUT ? 0 : r;
}

/* One block for both arrays of a series. */
static int allocate_series(struct chase_results *res)
{
	for (int w = 0; w < BENCH_NR_WHERE; w++)
		for (int page = 0; page < CHASE_NR_PAGES; page++)
			for (size_t i = 0; i < res->plan->nr_sizes; i++) {
				struct chase_series *s = &res->series[w][page][i];

				s->sparse = calloc(2 * res->plan->rounds, sizeof(double));
				if (!s->sparse)
					return -ENOMEM;
				s->dense = s->sparse + res->plan->rounds;
			}
	return 0;
}

static void scale(struct chase_results *res)
{
	const double ns_per_tick = 1e3 / res->tsc_mhz;

	for (int w = 0; w < BENCH_NR_WHERE; w++)
		for (int page = 0; page < CHASE_NR_PAGES; page++)
			for (size_t i = 0; i < res->plan->nr_sizes; i++)
				for (int n = 0; n < 2 * res->plan->rounds; n++)
					res->series[w][page][i].sparse[n] *= ns_per_tick;
}

/* What cannot be measured is told before the first round. */
static void rule_out(struct chase_results *res)
{
	const struct host_info *h = res->host;

	for (int w = 0; w < BENCH_NR_WHERE; w++)
		for (int page = 0; h->kvm != HOST_KVM_OK && bench_environments[w].paging && page < CHASE_NR_PAGES;
		     page++)
			snprintf(res->na[w][page], sizeof(res->na[w][page]), "%s: %s", h->kvm_path,
			         h->kvm_error ? strerror(h->kvm_error) : "not KVM");
	for (int page = 0; bench_times_na(h) && page < CHASE_NR_PAGES; page++) /* a process has nothing but times */
		snprintf(res->na[BENCH_NATIVE][page], sizeof(res->na[0][0]), "%s", bench_times_na(h));
}

int chase_run(const struct chase_plan *plan, const struct host_info *host, struct chase_results *ret)
{
	struct child_result *child = malloc(sizeof(*child));
	const struct bench_clock began = bench_clock_start();
	uint64_t random = plan->seed * 2 + 1;
	int r;

	memset(ret, 0, sizeof(*ret));
	ret->plan = plan;
	ret->host = host;
	rule_out(ret);
	r = child ? allocate_series(ret) : -ENOMEM;
	if (r == 0)
		r = plan->seconds > 0 ? run_bounded(ret, &random, child) : run_rounds(ret, &random, child);
	log_progress("%s", "");
	ret->tsc_mhz = bench_clock_mhz(&began);
	if (r == 0)
		scale(ret);
	free(child);
	return r;
}

void chase_results_free(struct chase_results *results)
{
	for (int w = 0; w < BENCH_NR_WHERE; w++)
		for (int page = 0; page < CHASE_NR_PAGES; page++)
			for (size_t i = 0; i < CHASE_MAX_SIZES; i++)
				free(results->series[w][page][i].sparse);
}

bool chase_any(const struct chase_results *results)
{
	for (int w = 0; w < BENCH_NR_WHERE; w++)
		for (int page = 0; page < CHASE_NR_PAGES; page++)
			if (results->plan->where >> w & 1 && !*results->na[w][page])
				return true;
	return false;
}
