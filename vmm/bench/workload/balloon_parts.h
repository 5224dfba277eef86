/* SPDX-License-Identifier: MIT */
/* How rows of one run compare, for balloon_report.c and balloon_explain.c. */
#ifndef GNOMON_BENCH_WORKLOAD_BALLOON_PARTS_H
#define GNOMON_BENCH_WORKLOAD_BALLOON_PARTS_H

#include "bench/workload/balloon.h"
#include "bench/stats.h"

/* Finds the case of an operation. -ENOENT. */
int must_check balloon_find(const struct op_results *res, const char *row, enum bench_where where, bool thp,
                            size_t *ret_i);

/* The rate of case i as a part of the native rate. -ENOENT: there is no native case; else as op_time_ratio(). */
int must_check balloon_of_native(const struct op_results *res, size_t i, struct stats_ratio *ret_ratio);

#endif
