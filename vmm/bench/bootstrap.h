/* SPDX-License-Identifier: MIT */
/*
 * How certain the median of samples is that were taken one after the other. What disturbs a host lasts longer than one
 * sample, so that neighbours are alike and each says less than it seems to. Blocks of neighbours are drawn for that
 * reason (circular block bootstrap: Politis & Romano 1992), as long as the samples ask for, and the interval is widened by
 * what so few blocks know badly. Pure.
 */
#ifndef GNOMON_BENCH_BOOTSTRAP_H
#define GNOMON_BENCH_BOOTSTRAP_H

#include <stddef.h>
#include <stdint.h>

#include "base/log.h"

/*
 * The length of a block, in samples, for the median of `n` > 0 samples in the order in which they were taken: twice
 * that of Politis & White 2004 with the correction of Patton, Politis & White 2009, for the share of samples above the
 * median, of which the median's error is a multiple. At least the cube root of n, as a weak likeness is not seen in few
 * samples; at most n / 3 and 3 sqrt(n). 1 below 8 samples, and where neighbours are unlike. Time O(n^1.5).
 */
size_t bootstrap_block(const double *samples, size_t n, double median);

/*
 * The 95 % interval of the median of `n` > 0 finite samples in the order in which they were taken: percentiles of the
 * medians of 2000 resamples, drawn by `seed`, as far out as Student's t for the number of blocks asks for. In 2000
 * made-up sets it holds the truth in 93 to 98 % of the cases where neighbours have half of each other, from 48 samples
 * on; docs/measuring.md says where it does not. With one sample it is that sample. Time O(2000 n). -ENOMEM.
 */
int must_check bootstrap_median(const double *samples, size_t n, uint64_t seed, double *ret_low, double *ret_high);

#endif
