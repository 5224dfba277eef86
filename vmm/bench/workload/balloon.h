/* SPDX-License-Identifier: MIT */
/*
 * Workload `balloon`: what it takes to take memory from a guest and to give it back, beside what the host itself needs
 * to discard as much of a process's memory. Its cases run as those of `costs` do (op.h): guest/cost has a driver of
 * the balloon for them.
 *
 *   balloon.c          the workload
 *   balloon_cases.c    the cases, and the native ones themselves
 *   balloon_report.c   the table
 *   balloon_explain.c  what it means, in sentences
 */
#ifndef GNOMON_BENCH_WORKLOAD_BALLOON_H
#define GNOMON_BENCH_WORKLOAD_BALLOON_H

#include "bench/workload/op.h"

extern const struct workload balloon_workload;

extern const struct op_set balloon_set;

/* For turn_call(), with a struct op_native: the discards of a native row, with output as guest/cost's; a floor is a
 * system call. */
int balloon_native(const void *native);

/* The table of a struct op_results: one row for each case. -ENOMEM. */
int must_check balloon_report(const void *results, struct report **ret_table);

/* What the table means, and which bars are met. Nothing if nothing was measured. */
void balloon_explain(const void *results, FILE *to);

#endif
