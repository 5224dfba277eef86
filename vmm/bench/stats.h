/* SPDX-License-Identifier: MIT */
/*
 * Order statistics of a few noisy timings, and how certain the median is. Pure: the same samples and seed give the same
 * answer on every machine.
 */
#ifndef GNOMON_BENCH_STATS_H
#define GNOMON_BENCH_STATS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/log.h"

/* The seed to use. */
#define STATS_SEED 0x676e6f6d6f6eull

/*
 * Fewer samples have no 95 % interval of their median: that from the least to the largest of 5 holds it in 94 % of the
 * cases. Theirs is from -infinity to infinity.
 */
#define STATS_FEWEST 6

/* In the unit of the samples, except n and outliers. */
struct stats_summary {
	size_t n;
	double min, max, mean, median;
	double p5, p25, p75, p95, p99; /* percentile.h */
	double iqr;               /* p75 - p25 */
	double mad;               /* median absolute deviation from the median, not scaled */
	double ci_low, ci_high;   /* 95 % confidence interval of the median (bootstrap.h), or STATS_FEWEST's */
	size_t outliers;          /* Tukey: beyond 1.5 iqr outside [p25, p75] */
};

/* Ratio a/b of paired samples. Both of a pair ran next to each other, so that drift hits both. */
struct stats_ratio {
	size_t n;
	double median, ci_low, ci_high; /* as in struct stats_summary, of the n ratios */
};

/*
 * Summarises `n` samples in the order in which they were taken: only the interval depends on it, which is drawn by
 * `seed`. Time O(2000 n).
 * -EINVAL: no samples, or one is not finite. -ENOMEM.
 */
int must_check stats_summarise(const double *samples, size_t n, uint64_t seed, struct stats_summary *ret_summary);

/* Median of a[i] / b[i] with its interval. -EINVAL: no pairs, or a value not finite or not positive. -ENOMEM. */
int must_check stats_paired_ratio(const double *a, const double *b, size_t n, uint64_t seed,
                                  struct stats_ratio *ret_ratio);

/*
 * How noisy the host was, in a word: by the largest of four shares, which are the samples that something disturbed, the
 * outliers, the iqr by the median, and the time that the CPU was another guest's (of 1; not a number: not known). "quiet"
 * up to 5 %, "some" up to 25 %, "noisy" beyond. NULL: STATS_FEWEST.
 */
const char *stats_noise(const struct stats_summary *summary, size_t disturbed, double stolen);

#define STATS_WORDS 64

/* "95% interval 0.98 to 1.02" in `buf`, or that there is none. */
const char *stats_interval(double low, double high, int decimals, char buf[STATS_WORDS]);

/*
 * Whether a bar is met, for a sentence: "met" and "NOT met" where the whole interval says so, and by the median alone
 * where the interval holds the bar, or there is none.
 */
const char *stats_bar(const struct stats_ratio *ratio, double bar, bool more_is_better);

#endif
