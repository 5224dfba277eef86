/* SPDX-License-Identifier: MIT */
#include "bench/bound.h"

#define MARGIN 1.25 /* of a busy host's next round over the longest yet */

/* Seconds for the rounds that the small sizes must still get. */
static double owed(const struct bound *b)
{
	const int rounds = b->fewest[BOUND_SMALL] - b->done[BOUND_SMALL];

	return rounds > 0 ? rounds * b->longest[BOUND_SMALL] * MARGIN : 0;
}

/* True when one more round of the largest fits, together with those that it needs to be shown. */
static bool largest_fits(const struct bound *b, double left)
{
	const int wanted = b->fewest[BOUND_LARGEST] - b->done[BOUND_LARGEST];
	const double need = b->longest[BOUND_LARGEST] * (wanted > 1 ? wanted : 1);

	return need < left;
}

int bound_next(struct bound *b, double elapsed, double *ret_limit)
{
	const double left = b->seconds - elapsed;

	*ret_limit = 0;
	if (b->largest_is_due && largest_fits(b, left - owed(b))) {
		b->largest_is_due = false;
		*ret_limit = left - owed(b);
		return BOUND_LARGEST;
	}
	b->largest_is_due = true;
	if (b->done[BOUND_SMALL] < b->fewest[BOUND_SMALL])
		return BOUND_SMALL;
	return b->done[BOUND_SMALL] < b->rounds && b->longest[BOUND_SMALL] < left ? BOUND_SMALL : -1;
}

void bound_took(struct bound *b, enum bound_part part, double seconds, bool whole)
{
	b->done[part] += whole;
	if (seconds > b->longest[part])
		b->longest[part] = seconds;
}
