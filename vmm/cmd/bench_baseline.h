/* SPDX-License-Identifier: MIT */
/* `gnomon bench --baseline`: what was just measured against a file. */
#ifndef GNOMON_CMD_BENCH_BASELINE_H
#define GNOMON_CMD_BENCH_BASELINE_H

#include <stdbool.h>

#include "bench/compare/compare.h"
#include "bench/report/report.h"

/*
 * Compares the tables with `base`, by the code of `gnomon compare`, and prints it. *ret_worse: a value got worse by
 * more than `threshold` percent. -errno, logged unless it is of `to`.
 */
int must_check bench_baseline_compare(const struct compare_file *base, double threshold,
                                      const struct report_environment *env, const struct report *const *tables,
                                      size_t nr_tables, FILE *to, bool *ret_worse);

#endif
