/* SPDX-License-Identifier: MIT */
#include "bench/bootstrap.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bench/percentile.h"

#define RESAMPLES   2000
#define CI_LOW_PCT  2.5
#define CI_HIGH_PCT 97.5

#define QUIET_LAGS 5 /* so many correlations in a row that are none end the search (Politis & White's K) */
#define FEWEST     8 /* samples by which a correlation can be told */

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

size_t bootstrap_block(const double *samples, size_t n, double median)
{
	const double most = fmin(ceil(3 * sqrt((double)n)), floor((double)n / 3));
	double mean = 0, long_run, lags = 0, block;
	size_t window;

	if (n < FEWEST)
		return 1;
	for (size_t i = 0; i < n; i++)
		mean += above(samples[i], median); /* multiples of a half: exact */
	mean /= (double)n;
	long_run = covariance(samples, n, median, mean, 0);
	window = 2 * last_correlated(samples, n, median, mean, (size_t)most);
	if (window == 0 || long_run <= 0)
		return 1;
	for (size_t lag = 1; lag <= window && lag < n; lag++) {
		/* The flat-top window: 1 to the middle, then a line down to 0. */
		const double weight = fmin(1, 2 * (1 - (double)lag / (double)window));
		const double both = 2 * weight * covariance(samples, n, median, mean, lag);

		long_run += both;
		lags += both * (double)lag;
	}
	if (long_run <= 0)
		return 1;
	/* (2 G^2 / D)^(1/3) n^(1/3) with D = 4/3 g(0)^2. */
	block = cbrt(1.5 * lags * lags / (long_run * long_run) * (double)n);
	return (size_t)fmax(1, fmin(round(block), most));
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
		size_t block;

		for (size_t i = 0; i < n; i++)
			sorted[i] = (struct ranked){samples[i], i};
		qsort(sorted, n, sizeof(*sorted), compare_ranked);
		for (size_t i = 0; i < n; i++) {
			rank[sorted[i].at] = i;
			times[i] = 1;
		}
		block = bootstrap_block(samples, n, median_of_counts(sorted, times, n));
		for (int s = 0; s < RESAMPLES; s++) {
			draw(times, rank, n, block, &seed);
			medians[s] = median_of_counts(sorted, times, n);
		}
		percentile_sort(medians, RESAMPLES);
		*ret_low = percentile(medians, RESAMPLES, CI_LOW_PCT);
		*ret_high = percentile(medians, RESAMPLES, CI_HIGH_PCT);
		r = 0;
	}
	free(rank);
	free(times);
	free(sorted);
	free(medians);
	return r;
}
