/* SPDX-License-Identifier: MIT */
#include "bench/workload/switch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bench/workload/socket_guest.h"
#include "bench/workload/turn.h"

static const struct switch_case cases[] = {
    {1, 512}, {1, 8192}, {1, 65536}, {2, 512}, {2, 8192}, {2, 65536}, {4, 512}, {4, 8192}, {4, 65536},
};

_Static_assert(sizeof(cases) / sizeof(*cases) <= SWITCH_MAX_CASES, "room for the results");

static int take_turn(void *results, const struct turn *turn)
{
	struct switch_results *res = results;
	bench_reason *na = &res->na[turn->i];
	struct socket_place place;
	const struct switch_drive drive = {
	    .c = &res->cases[turn->i], .image = res->plan->file[BENCH_KERNEL], .socket = place.path};
	double *us[SWITCH_NR_TO];
	int r = socket_place_make(&place);

	if (r < 0) {
		snprintf(*na, sizeof(*na), "no place for a control socket: %s", strerror(-r));
		return 0;
	}
	r = turn_call(turn, switch_drive, &drive, na);
	socket_place_remove(&place);
	if (r < 0 || **na)
		return r;
	for (int to = 0; to < SWITCH_NR_TO; to++)
		us[to] = res->us[turn->i][to] + turn->round * SWITCH_PAIRS;
	if (switch_output_parse(turn->child->out, turn->child->out_len, us, &res->counts[turn->i][turn->round]) < 0)
		reason_set(na, "its output is no result");
	return 0;
}

static int begin(void *results, const struct bench_plan *plan)
{
	struct switch_results *res = results;
	int r = 0;

	res->plan = plan;
	res->cases = cases;
	res->nr_cases = sizeof(cases) / sizeof(*cases);
	for (size_t i = 0; r == 0 && i < res->nr_cases; i++) {
		reason_without_kvm(&res->na[i], plan->host);
		if (!*res->na[i] && bench_times_na(plan->host))
			reason_set(&res->na[i], bench_times_na(plan->host));
		res->counts[i] = calloc((size_t)plan->rounds, sizeof(*res->counts[i]));
		r = res->counts[i] ? series_pair(plan->rounds * SWITCH_PAIRS, &res->us[i][0], &res->us[i][1]) : -ENOMEM;
	}
	return r;
}

static size_t nr_cases(const void *results)
{
	const struct switch_results *res = results;

	return res->nr_cases;
}

static bool is_due(const void *results, size_t i)
{
	const struct switch_results *res = results;

	return !*res->na[i];
}

/* All are compared with each other. */
static size_t group_end(const void *results, size_t first)
{
	return nr_cases(results);
}

static void describe(const void *results, size_t i, char *ret_text, size_t size)
{
	const struct switch_results *res = results;

	snprintf(ret_text, size, "%d vCPU%s, tables of %.0f KiB", res->cases[i].cpus, res->cases[i].cpus > 1 ? "s" : "",
	         switch_tables_kib(res->cases[i].pages));
}

static void release(void *results)
{
	struct switch_results *res = results;

	for (size_t i = 0; i < SWITCH_MAX_CASES; i++) {
		free(res->us[i][0]);
		free(res->counts[i]);
	}
}

const struct workload switch_workload = {
    .name = "switch",
    .what = "how long a guest stands still while it changes its paging mode",
    .needs = 1 << BENCH_KERNEL,
    .rounds = 5,
    .quick_rounds = 2,
    .results_size = sizeof(struct switch_results),
    .begin = begin,
    .nr_cases = nr_cases,
    .is_due = is_due,
    .group_end = group_end,
    .describe = describe,
    .turn = take_turn,
    .any = switch_any,
    .tables = {switch_report},
    .explain = switch_explain,
    .release = release,
};
