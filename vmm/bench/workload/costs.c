/* SPDX-License-Identifier: MIT */
#include "bench/workload/cost.h"

static int begin(void *results, const struct bench_plan *plan)
{
	return cost_begin(results, &costs_set, plan);
}

const struct workload costs_workload = {
    .name = "costs",
    .what = "what faults, CR3 loads and writes to page tables cost in nested and in shadow paging",
    .needs = 1 << BENCH_COST,
    .in_full = true,
    .rounds = 11,
    .quick_rounds = 5,
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
    .tables = {cost_report, cost_ratio_report},
    .explain = cost_explain,
    .release = cost_release,
};
