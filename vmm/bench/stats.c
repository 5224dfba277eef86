/* SPDX-License-Identifier: MIT */
#include "bench/stats.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/bootstrap.h"
#include "bench/percentile.h"

#define TUKEY_FENCE 1.5

#define QUIET 0.05 /* shares of the samples, or of the time */
#define SOME  0.25

/* Fills all of *s but mad and the interval. */
static void describe(const double *sorted, size_t n, struct stats_summary *s)
{
	s->n = n;
	s->min = sorted[0];
	s->max = sorted[n - 1];
	s->median = percentile(sorted, n, 50);
	s->p5 = percentile(sorted, n, 5);
	s->p25 = percentile(sorted, n, 25);
	s->p75 = percentile(sorted, n, 75);
	s->p95 = percentile(sorted, n, 95);
	s->p99 = percentile(sorted, n, 99);
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
	percentile_sort(x, n);
	describe(x, n, &s);
	r = bootstrap_median(samples, n, seed, &s.ci_low, &s.ci_high);
	if (n < STATS_FEWEST) {
		s.ci_low = -INFINITY;
		s.ci_high = INFINITY;
	}
	for (size_t i = 0; i < n; i++)
		x[i] = x[i] > s.median ? x[i] - s.median : s.median - x[i];
	percentile_sort(x, n);
	s.mad = percentile(x, n, 50);
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

const char *stats_noise(const struct stats_summary *s, size_t disturbed, double stolen)
{
	const double of_samples = fmax(disturbed, s->outliers) / s->n;
	const double share =
	    fmax(fmax(of_samples, s->iqr / fabs(s->median)), stolen); /* of two the one that is a number */

	if (s->n < STATS_FEWEST)
		return NULL;
	return share <= QUIET ? "quiet" : share <= SOME ? "some" : "noisy";
}

const char *stats_interval(double low, double high, int decimals, char buf[STATS_WORDS])
{
	if (isfinite(low) && isfinite(high))
		snprintf(buf, STATS_WORDS, "95%% interval %.*f to %.*f", decimals, low, decimals, high);
	else
		snprintf(buf, STATS_WORDS, "fewer than %d rounds: no 95%% interval", STATS_FEWEST);
	return buf;
}

const char *stats_bar(const struct stats_ratio *ratio, double bar, bool more_is_better)
{
	const double sign = more_is_better ? -1 : 1;
	const bool by_median = sign * ratio->median <= sign * bar;

	if (sign * ratio->ci_low <= sign * bar && sign * ratio->ci_high <= sign * bar)
		return "met";
	if (sign * ratio->ci_low > sign * bar && sign * ratio->ci_high > sign * bar)
		return "NOT met";
	if (!isfinite(ratio->ci_low) || !isfinite(ratio->ci_high))
		return by_median ? "met by the median, too few rounds to be sure"
		                 : "NOT met by the median, too few rounds to be sure";
	return by_median ? "met by the median, the interval holds the bar"
	                 : "NOT met by the median, the interval holds the bar";
}
