/* SPDX-License-Identifier: MIT */
#include "bench/percentile.h"

#include <stdlib.h>

static int compare_doubles(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

void percentile_sort(double *samples, size_t n)
{
	qsort(samples, n, sizeof(*samples), compare_doubles);
}

double percentile(const double *sorted, size_t n, double p)
{
	const double rank = (double)(n - 1) * p / 100;
	const size_t below = (size_t)rank;

	if (below + 1 >= n)
		return sorted[n - 1];
	return sorted[below] + (rank - (double)below) * (sorted[below + 1] - sorted[below]);
}
