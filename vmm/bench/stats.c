/* SPDX-License-Identifier: MIT */
#include "bench/stats.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define RESAMPLES   2000
#define TUKEY_FENCE 1.5
#define CI_LOW_PCT  2.5
#define CI_HIGH_PCT 97.5

static int compare_doubles(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static void sort(double *x, size_t n)
{
	qsort(x, n, sizeof(*x), compare_doubles);
}

double stats_percentile(const double *sorted, size_t n, double p)
{
	const double rank = (double)(n - 1) * p / 100;
	const size_t below = (size_t)rank;

	if (below + 1 >= n)
		return sorted[n - 1];
	return sorted[below] + (rank - (double)below) * (sorted[below + 1] - sorted[below]);
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
static double median_of_counts(const double *sorted, const size_t *times, size_t n)
{
	const size_t low = (n - 1) / 2, high = n / 2; /* the middle ranks; one and the same when n is odd */
	size_t seen = 0, i = 0;
	double at_low;

	while (seen + times[i] <= low)
		seen += times[i++];
	at_low = sorted[i];
	while (seen + times[i] <= high)
		seen += times[i++];
	return at_low + (sorted[i] - at_low) / 2;
}

/* `sorted` are n > 0 ascending samples. */
static int bootstrap_median(const double *sorted, size_t n, uint64_t seed, double *ret_low, double *ret_high)
{
	double *medians = malloc(RESAMPLES * sizeof(*medians));
	size_t *times = malloc(n * sizeof(*times));
	int r = -ENOMEM;

	if (medians && times) {
		for (int s = 0; s < RESAMPLES; s++) {
			memset(times, 0, n * sizeof(*times));
			for (size_t i = 0; i < n; i++)
				times[random_below(&seed, n)]++;
			medians[s] = median_of_counts(sorted, times, n);
		}
		sort(medians, RESAMPLES);
		*ret_low = stats_percentile(medians, RESAMPLES, CI_LOW_PCT);
		*ret_high = stats_percentile(medians, RESAMPLES, CI_HIGH_PCT);
		r = 0;
	}
	free(times);
	free(medians);
	return r;
}

/* Fills all of *s but mad and the interval. */
static void describe(const double *sorted, size_t n, struct stats_summary *s)
{
	s->n = n;
	s->min = sorted[0];
	s->max = sorted[n - 1];
	s->median = stats_percentile(sorted, n, 50);
	s->p5 = stats_percentile(sorted, n, 5);
	s->p25 = stats_percentile(sorted, n, 25);
	s->p75 = stats_percentile(sorted, n, 75);
	s->p95 = stats_percentile(sorted, n, 95);
	s->p99 = stats_percentile(sorted, n, 99);
	s->iqr = s->p75 - s->p25;
	for (size_t i = 0; i < n; i++) {
		/* A running mean: equal samples give exactly themselves. */
		s->mean += (sorted[i] - s->mean) / (double)(i + 1);
		if (sorted[i] < s->p25 - TUKEY_FENCE * s->iqr || sorted[i] > s->p75 + TUKEY_FENCE * s->iqr)
			s->outliers++;
	}
}

int stats_summarise(const double *samples, size_t n, uint64_t seed, struct stats_summary *ret_summary)
{
	struct stats_summary s = {0};
	double *x;
	int r;

	if (n == 0)
		return -EINVAL;
	for (size_t i = 0; i < n; i++)
		if (!isfinite(samples[i]))
			return -EINVAL;
	x = malloc(n * sizeof(*x));
	if (!x)
		return -ENOMEM;
	memcpy(x, samples, n * sizeof(*x));
	sort(x, n);
	describe(x, n, &s);
	r = bootstrap_median(x, n, seed, &s.ci_low, &s.ci_high);
	for (size_t i = 0; i < n; i++)
		x[i] = x[i] > s.median ? x[i] - s.median : s.median - x[i];
	sort(x, n);
	s.mad = stats_percentile(x, n, 50);
	free(x);
	if (r == 0)
		*ret_summary = s;
	return r;
}

int stats_paired_ratio(const double *a, const double *b, size_t n, uint64_t seed, struct stats_ratio *ret_ratio)
{
	struct stats_summary s;
	double *ratio;
	int r;

	for (size_t i = 0; i < n; i++)
		if (!isfinite(a[i]) || !isfinite(b[i]) || a[i] <= 0 || b[i] <= 0)
			return -EINVAL;
	if (n == 0)
		return -EINVAL;
	ratio = malloc(n * sizeof(*ratio));
	if (!ratio)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		ratio[i] = a[i] / b[i];
	r = stats_summarise(ratio, n, seed, &s);
	free(ratio);
	if (r == 0)
		*ret_ratio = (struct stats_ratio){.n = n, .median = s.median, .ci_low = s.ci_low, .ci_high = s.ci_high};
	return r;
}
