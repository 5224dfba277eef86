/* SPDX-License-Identifier: MIT */
#include "bench/workload/costs.h"

#include "bench/stats.h"

static int begin(void *results, const struct bench_plan *plan)
{
	return op_begin(results, &costs_set, plan);
}

const struct workload costs_workload = {
    .name = "costs",
    .what = "what faults, CR3 loads and writes to page tables cost, in nested and in shadow paging",
    .needs = 1 << BENCH_COST,
    .in_full = true,
    .rounds = 11,
    .quick_rounds = STATS_FEWEST,
    .group_seconds = 30,
    .results_size = sizeof(struct op_results),
    .begin = begin,
    .nr_cases = op_nr,
    .is_due = op_is_due,
    .group_end = op_group_end,
    .leave_out = op_leave_out,
    .describe = op_describe,
    .prepare = op_count,
    .turn = op_turn,
    .finish = op_finish,
    .any = op_any,
    .tables = {costs_report, costs_ratio_report},
    .explain = costs_explain,
    .release = op_release,
};
