/* SPDX-License-Identifier: MIT */
#include "bench/workload/balloon.h"

#define ROUNDS 7

static int begin(void *results, const struct bench_plan *plan)
{
	return cost_begin(results, &balloon_set, plan);
}

const struct workload balloon_workload = {
    .name = "balloon",
    .what = "what it costs to take memory from a guest and to give it back",
    .needs = 1 << BENCH_COST,
    .in_full = true,
    .rounds = ROUNDS,
    .quick_rounds = ROUNDS,
    .results_size = sizeof(struct cost_results),
    .begin = begin,
    .nr_cases = cost_nr,
    .is_due = cost_is_due,
    .group_end = cost_group_end,
    .describe = cost_describe,
    .prepare = cost_count,
    .turn = cost_turn,
    .finish = cost_finish,
    .any = cost_any,
    .tables = {balloon_report},
    .explain = balloon_explain,
    .release = cost_release,
};
