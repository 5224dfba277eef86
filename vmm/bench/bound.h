/* SPDX-License-Identifier: MIT */
/*
 * What is measured next when there is only so much time. A round has two parts: the small sizes, which are cheap,
 * and the largest, which takes longer than all of them. The small ones get their fewest rounds however long that
 * takes; all else has to fit into the time that is left. Pure: it is told the time.
 */
#ifndef GNOMON_BENCH_BOUND_H
#define GNOMON_BENCH_BOUND_H

#include <stdbool.h>

enum bound_part { BOUND_SMALL, BOUND_LARGEST, BOUND_NR_PARTS };

struct bound {
	double seconds;             /* in all */
	int rounds;                 /* as many as are wanted */
	int fewest[BOUND_NR_PARTS]; /* of the largest: with fewer it is left out */
	/* So far: */
	int done[BOUND_NR_PARTS];       /* whole rounds */
	double longest[BOUND_NR_PARTS]; /* seconds for one; 0: none was tried */
	bool largest_is_due;            /* small sizes were measured since it was last tried */
};

/* What to measure next, `elapsed` seconds after the start; seconds after which to cut it short, or 0. -1: nothing. */
int bound_next(struct bound *b, double elapsed, double *ret_limit);

/* That part took `seconds`; `whole`: it was not cut short. */
void bound_took(struct bound *b, enum bound_part part, double seconds, bool whole);

#endif
