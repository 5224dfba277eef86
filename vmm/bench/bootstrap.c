/* SPDX-License-Identifier: MIT */
#include "bench/bootstrap.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bench/percentile.h"

#define RESAMPLES 2000
#define NORMAL    1.959964 /* the 97.5 % quantile */

#define QUIET_LAGS 5 /* so many correlations in a row that are none end the search (Politis & White's K) */
#define FEWEST     8 /* samples by which a correlation can be told */
#define LONGER     2 /* times as long as makes the variance's error least: intervals hold better (Sun et al. 2008) */
#define FLAT       0.5 /* share of a window that has weight 1 (Politis & Romano 1995) */

/* ---- the length of a block ---- */

/* 1 above the median, 0 below, a half on it. */
static double above(double x, double median)
{
	return x > median ? 1 : x < median ? 0 : 0.5;
}

/* Autocovariance of above() at `lag`. */
static double covariance(const double *x, size_t n, double median, double mean, size_t lag)
{
	double sum = 0;

	for (size_t i = 0; i + lag < n; i++)
		sum += (above(x[i], median) - mean) * (above(x[i + lag], median) - mean);
	return sum / (double)n;
}

/* The lag behind which samples tell nothing of each other, at most `most`. */
static size_t last_correlated(const double *x, size_t n, double median, double mean, size_t most)
{
	const double none = 2 * sqrt(log10((double)n) / (double)n) * covariance(x, n, median, mean, 0);
	size_t quiet = 0, lag = 0;

	while (lag < most && quiet < QUIET_LAGS)
		quiet = fabs(covariance(x, n, median, mean, ++lag)) < none ? quiet + 1 : 0;
	return lag - quiet;
}

/* Of a lag before `end`: 1 in the flat share of the window, then by a line down to 0. */
static double window_weight(size_t lag, size_t end, double flat)
{
	return fmin(1, (1 - (double)lag / (double)end) / (1 - flat));
}

/* Variance of the mean of above(), times n: autocovariances weighted by window_weight(). */
static double long_run(const double *x, size_t n, double median, double mean, size_t end, double flat)
{
	double sum = covariance(x, n, median, mean, 0);

	for (size_t lag = 1; lag < end && lag < n; lag++)
		sum += 2 * window_weight(lag, end, flat) * covariance(x, n, median, mean, lag);
	return sum;
}

static double mean_above(const double *x, size_t n, double median)
{
	double sum = 0; /* multiples of a half: exact */

	for (size_t i = 0; i < n; i++)
		sum += above(x[i], median);
	return sum / (double)n;
}

/* What makes the error of the block bootstrap's variance least (Politis & White); 0: neighbours are not alike. */
static double best_block(const double *x, size_t n, double median, size_t most)
{
	const double mean = mean_above(x, n, median);
	const size_t window = 2 * last_correlated(x, n, median, mean, most);
	const double g0 = window ? long_run(x, n, median, mean, window, FLAT) : 0;
	double lags = 0;

	if (g0 <= 0)
		return 0;
	for (size_t lag = 1; lag < window && lag < n; lag++)
		lags += 2 * window_weight(lag, window, FLAT) * (double)lag * covariance(x, n, median, mean, lag);
	/* (2 G^2 / D)^(1/3) n^(1/3) with D = 4/3 g(0)^2. */
	return cbrt(1.5 * lags * lags / (g0 * g0) * (double)n);
}

size_t bootstrap_block(const double *samples, size_t n, double median)
{
	const double most = fmin(ceil(3 * sqrt((double)n)), floor((double)n / 3));
	double mean;
	size_t block;

	if (n < FEWEST)
		return 1;
	block = (size_t)fmax(
	    1, fmin(most, fmax(round(cbrt((double)n)), LONGER * round(best_block(samples, n, median, (size_t)most)))));
	/* Neighbours that are unlike, as in a saw, make no interval narrower than that of independent samples. */
	mean = mean_above(samples, n, median);
	return long_run(samples, n, median, mean, block, 0) < covariance(samples, n, median, mean, 0) ? 1 : block;
}

/* The 97.5 % quantile of Student's t, by its expansion around the normal one (Abramowitz & Stegun 26.7.5). */
static double student(double freedom)
{
	const double z = NORMAL, z2 = z * z;

	if (freedom < 2.5) /* where the expansion is no good */
		return 4.303;
	return z + (z2 + 1) * z / 4 / freedom + ((5 * z2 + 16) * z2 + 3) * z / 96 / (freedom * freedom) +
	       (((3 * z2 + 19) * z2 + 17) * z2 - 15) * z / 384 / (freedom * freedom * freedom);
}

/*
 * How many standard errors each end lies from the median. Above the normal 1.96: so few blocks know the error badly
 * themselves (Student; Hesterberg 2015), and cutting a series into blocks loses what neighbours have across the cuts.
 */
static double reach(const double *x, size_t n, double median, size_t block)
{
	const double blocks = (double)n / (double)block, mean = mean_above(x, n, median);
	const double whole = long_run(x, n, median, mean, 2 * block, FLAT),
	             cut = long_run(x, n, median, mean, block, 0);

	if (blocks < 2)
		return NORMAL;
	return sqrt(blocks / (blocks - 1)) * student(blocks - 1) * (cut > 0 && whole > cut ? sqrt(whole / cut) : 1);
}

/* ---- the interval ---- */

struct ranked {
	double x;
	size_t at; /* in the order of time */
};

static int compare_ranked(const void *a, const void *b)
{
	const struct ranked *x = a, *y = b;

	return (x->x > y->x) - (x->x < y->x);
}

/* SplitMix64 (Steele, Lea, Flood 2014): any seed is a good one. */
static uint64_t next_random(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

/* Uniform in [0, n) by the high half of a product; the bias, n / 2^64, is far below what 2000 draws show. */
static size_t random_below(uint64_t *state, size_t n)
{
	return (unsigned __int128)next_random(state) * n >> 64;
}

/* The median of the multiset that holds sorted[i] times[i] times, n in all: no sort for each resample. */
static double median_of_counts(const struct ranked *sorted, const size_t *times, size_t n)
{
	const size_t low = (n - 1) / 2, high = n / 2; /* the middle ranks; one and the same when n is odd */
	size_t seen = 0, i = 0;
	double at_low;

	while (seen + times[i] <= low)
		seen += times[i++];
	at_low = sorted[i].x;
	while (seen + times[i] <= high)
		seen += times[i++];
	return at_low + (sorted[i].x - at_low) / 2;
}

/* Blocks of neighbours, the first sample following the last, until there are n. rank[i]: of sample i in time. */
static void draw(size_t *times, const size_t *rank, size_t n, size_t block, uint64_t *seed)
{
	size_t at = 0;

	memset(times, 0, n * sizeof(*times));
	for (size_t i = 0; i < n; i++) {
		at = i % block == 0 ? random_below(seed, n) : at + 1 < n ? at + 1 : 0;
		times[rank[at]]++;
	}
}

int bootstrap_median(const double *samples, size_t n, uint64_t seed, double *ret_low, double *ret_high)
{
	double *medians = malloc(RESAMPLES * sizeof(*medians));
	struct ranked *sorted = malloc(n * sizeof(*sorted));
	size_t *times = calloc(n, sizeof(*times)), *rank = malloc(n * sizeof(*rank));
	int r = -ENOMEM;

	if (medians && sorted && times && rank) {
		double median, beyond; /* percent of the medians behind each end */
		size_t block;

		for (size_t i = 0; i < n; i++)
			sorted[i] = (struct ranked){samples[i], i};
		qsort(sorted, n, sizeof(*sorted), compare_ranked);
		for (size_t i = 0; i < n; i++) {
			rank[sorted[i].at] = i;
			times[i] = 1;
		}
		median = median_of_counts(sorted, times, n);
		block = bootstrap_block(samples, n, median);
		beyond = 50 * erfc(reach(samples, n, median, block) / sqrt(2));
		for (int s = 0; s < RESAMPLES; s++) {
			draw(times, rank, n, block, &seed);
			medians[s] = median_of_counts(sorted, times, n);
		}
		percentile_sort(medians, RESAMPLES);
		*ret_low = percentile(medians, RESAMPLES, beyond);
		*ret_high = percentile(medians, RESAMPLES, 100 - beyond);
		r = 0;
	}
	free(rank);
	free(times);
	free(sorted);
	free(medians);
	return r;
}
