/* SPDX-License-Identifier: MIT */
#include "bench/workload/nano.h"

#include "bench/stats.h"

static int begin(void *results, const struct bench_plan *plan)
{
	return op_begin(results, &nano_set, plan);
}

const struct workload nano_workload = {
    .name = "nano",
    .what = "single instructions, faults and what a kernel does, beside published figures",
    .needs = 1 << BENCH_COST,
    .rounds = 11,
    .quick_rounds = STATS_FEWEST,
    .group_seconds = 40,
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
    .tables = {nano_report, nano_adams_agesen_report, nano_pvm_report},
    .explain = nano_explain,
    .release = op_release,
};
