/* SPDX-License-Identifier: MIT */
/* What chase_report.c gives to chase_explain.c. */
#ifndef GNOMON_BENCH_WORKLOAD_CHASE_PARTS_H
#define GNOMON_BENCH_WORKLOAD_CHASE_PARTS_H

#include "bench/workload/chase.h"

const char *chase_page_name(enum chase_page page);

/* True when number of pages i had enough rounds to be shown. Without a limit of time one is enough. */
bool chase_was_measured(const struct chase_results *results, size_t i);

/*
 * Ratio of the miss cost in `where` to the native one. A round whose dense chase was disturbed so much that it took
 * longer than the sparse one is left out. -ENODATA: not measured; -ETIME: no time; -EINVAL: more than a quarter of the
 * rounds are like that; -ENOMEM.
 */
int must_check chase_miss_ratio(const struct chase_results *results, enum bench_where where, enum chase_page page,
                                size_t i, struct stats_ratio *ret_ratio);

#endif
