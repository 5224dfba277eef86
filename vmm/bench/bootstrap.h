/* SPDX-License-Identifier: MIT */
/*
 * How certain the median of samples is that were taken one after the other. What disturbs a host lasts longer than one
 * sample, so that neighbours are alike and each says less than it seems to. Blocks of neighbours are drawn for that
 * reason (circular block bootstrap: Politis & Romano 1992), as long as the samples ask for. Pure.
 */
#ifndef GNOMON_BENCH_BOOTSTRAP_H
#define GNOMON_BENCH_BOOTSTRAP_H

#include <stddef.h>
#include <stdint.h>

#include "base/log.h"

/*
 * The length of a block, in samples, for the median of `n` > 0 samples in the order in which they were taken: that of
 * Politis & White 2004 with the correction of Patton, Politis & White 2009, for the share of samples above the median,
 * of which the median's error is a multiple. 1 when neighbours tell nothing of each other; at most n / 3. Time O(n^1.5).
 */
size_t bootstrap_block(const double *samples, size_t n, double median);

/*
 * The 95 % interval of the median of `n` > 0 finite samples in the order in which they were taken: the 2.5th to 97.5th
 * percentile of the medians of 2000 resamples, drawn by `seed`. It is too narrow with fewer than about 6 blocks; with
 * one sample it is that sample. Time O(2000 n). -ENOMEM.
 */
int must_check bootstrap_median(const double *samples, size_t n, uint64_t seed, double *ret_low, double *ret_high);

#endif
