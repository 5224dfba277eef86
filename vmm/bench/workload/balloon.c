/* SPDX-License-Identifier: MIT */
#include "bench/workload/balloon.h"

#define ROUNDS 7

static int begin(void *results, const struct bench_plan *plan)
{
	return op_begin(results, &balloon_set, plan);
}

const struct workload balloon_workload = {
    .name = "balloon",
    .what = "what it costs to take memory from a guest and to give it back",
    .needs = 1 << BENCH_COST,
    .in_full = true,
    .rounds = ROUNDS,
    .quick_rounds = ROUNDS,
    .results_size = sizeof(struct op_results),
    .begin = begin,
    .nr_cases = op_nr,
    .is_due = op_is_due,
    .group_end = op_group_end,
    .describe = op_describe,
    .prepare = op_count,
    .turn = op_turn,
    .finish = op_finish,
    .any = op_any,
    .tables = {balloon_report},
    .explain = balloon_explain,
    .release = op_release,
};
