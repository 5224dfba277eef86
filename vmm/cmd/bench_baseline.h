/* SPDX-License-Identifier: MIT */
/* `gnomon bench --baseline`: what was just measured against a file. */
#ifndef GNOMON_CMD_BENCH_BASELINE_H
#define GNOMON_CMD_BENCH_BASELINE_H

#include <stdbool.h>

#include "bench/compare/compare.h"
#include "bench/report/report.h"

/*
 * Before the run: whether the file has a table of any workload that will run, each of which has one of its own name.
 * `workloads` has 1 << number in the catalogue. -EINVAL, logged.
 */
int must_check bench_baseline_check(const struct compare_file *base, const char *path, unsigned workloads);

/*
 * Compares the tables with `base`, by the code of `gnomon compare`, and prints it. *ret_worse: a value got worse by
 * more than `threshold` percent. -errno, logged unless it is of `to`.
 */
int must_check bench_baseline_compare(const struct compare_file *base, double threshold,
                                      const struct report_environment *env, const struct report *const *tables,
                                      size_t nr_tables, FILE *to, bool *ret_worse);

#endif
