/* SPDX-License-Identifier: MIT */
#ifndef GNOMON_BENCH_PERCENTILE_H
#define GNOMON_BENCH_PERCENTILE_H

#include <stddef.h>

/* Makes `n` samples ascending. */
void percentile_sort(double *samples, size_t n);

/*
 * Percentile `p` (0 to 100) of `n` > 0 ascending samples: linear between the two closest ranks, the
 * rank being (n - 1) * p / 100 from 0 (Hyndman & Fan 1996, type 7; NumPy's and R's default).
 */
double percentile(const double *sorted, size_t n, double p);

#endif
