/* SPDX-License-Identifier: MIT */
#include "bench/percentile.h"

double percentile(const double *sorted, size_t n, double p)
{
	const double rank = (double)(n - 1) * p / 100;
	const size_t below = (size_t)rank;

	if (below + 1 >= n)
		return sorted[n - 1];
	return sorted[below] + (rank - (double)below) * (sorted[below + 1] - sorted[below]);
}
