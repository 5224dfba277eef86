/* SPDX-License-Identifier: MIT */
#include "bench/workload/auto.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bench/stats.h"
#include "bench/workload/socket_guest.h"
#include "bench/workload/turn.h"

static int take_turn(void *results, const struct turn *turn)
{
	struct auto_results *res = results;
	bench_reason *na = &res->na[turn->i];
	const bool timed = !bench_times_na(res->plan->host), quick = res->plan->quick;
	struct socket_place place;
	const struct auto_drive drive = {.paging = auto_paging_name[turn->i % AUTO_NR_PAGINGS],
	                                 .backing = auto_backing[turn->i / AUTO_NR_PAGINGS],
	                                 .image = res->plan->file[BENCH_KERNEL],
	                                 .socket = place.path,
	                                 .init = !timed  ? "30"
	                                         : quick ? "24"
	                                                 : "200",
	                                 .steady = !timed  ? "4"
	                                           : quick ? "100"
	                                                   : "150",
	                                 .again = !timed  ? "30"
	                                          : quick ? "72"
	                                                  : "300"};
	int r = socket_place_make(&place);

	if (r < 0) {
		snprintf(*na, sizeof(*na), "no place for a control socket: %s", strerror(-r));
		return 0;
	}
	r = turn_call(turn, auto_drive, &drive, na);
	socket_place_remove(&place);
	if (r < 0 || **na)
		return r;
	if (auto_output_parse(turn->child->out, turn->child->out_len, &res->sample[turn->i][turn->round]) < 0)
		reason_set(na, "its output is no result");
	return 0;
}

static int begin(void *results, const struct bench_plan *plan)
{
	struct auto_results *res = results;

	res->plan = plan;
	for (size_t i = 0; i < AUTO_NR_CASES; i++) {
		reason_without_kvm(&res->na[i], plan->host);
		res->sample[i] = calloc((size_t)plan->rounds + 1, sizeof(*res->sample[i]));
		if (!res->sample[i])
			return -ENOMEM;
	}
	return 0;
}

static size_t nr_cases(const void *results)
{
	return AUTO_NR_CASES;
}

static bool is_due(const void *results, size_t i)
{
	const struct auto_results *res = results;

	return !*res->na[i];
}

/* Those with the same backing are compared with each other. */
static size_t group_end(const void *results, size_t first)
{
	return first + AUTO_NR_PAGINGS;
}

static void leave_out(void *results, size_t i, const char *why)
{
	struct auto_results *res = results;

	reason_set(&res->na[i], why);
}

static void describe(const void *results, size_t i, char *ret_text, size_t size)
{
	snprintf(ret_text, size, "--paging %s, --backing %s", auto_paging_name[i % AUTO_NR_PAGINGS],
	         auto_backing[i / AUTO_NR_PAGINGS]);
}

static void finish(void *results, const struct bench_run *run)
{
	struct auto_results *res = results;

	res->tsc_mhz = run->tsc_mhz;
}

static void release(void *results)
{
	struct auto_results *res = results;

	for (size_t i = 0; i < AUTO_NR_CASES; i++)
		free(res->sample[i]);
}

const struct workload auto_workload = {
    .name = "auto",
    .what = "whether --paging auto keeps up with the better mode of each phase",
    .needs = 1 << BENCH_KERNEL,
    .rounds = STATS_FEWEST,
    .quick_rounds = 2,
    .group_seconds = 60,
    .untimed_rounds = 1,
    .results_size = sizeof(struct auto_results),
    .begin = begin,
    .nr_cases = nr_cases,
    .is_due = is_due,
    .group_end = group_end,
    .leave_out = leave_out,
    .describe = describe,
    .turn = take_turn,
    .finish = finish,
    .any = auto_any,
    .tables = {auto_report},
    .explain = auto_explain,
    .release = release,
};
