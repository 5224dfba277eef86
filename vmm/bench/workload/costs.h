/* SPDX-License-Identifier: MIT */
/*
 * Workload `costs`: what one event of paging costs (a fault, a CR3 load, a write to a page table, ...), in nested and
 * in shadow mode. Its cases run as op.h says.
 *
 *   costs.c         the workload
 *   costs_cases.c   the cases
 *   costs_report.c  the tables, and what they mean
 */
#ifndef GNOMON_BENCH_WORKLOAD_COSTS_H
#define GNOMON_BENCH_WORKLOAD_COSTS_H

#include "bench/workload/op.h"

extern const struct workload costs_workload;

extern const struct op_set costs_set;

/*
 * The tables of a struct op_results: one row for each case; and, when both modes take part, each shadow row's time by
 * that of the nested row of the same operation. -ENOMEM.
 */
int must_check costs_report(const void *results, struct report **ret_table);
int must_check costs_ratio_report(const void *results, struct report **ret_table);

/* What the tables mean, and which bars are met. Nothing if nothing was measured. */
void costs_explain(const void *results, FILE *to);

#endif
