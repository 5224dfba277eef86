/* SPDX-License-Identifier: MIT */
/*
 * Decides what to measure next when the time is limited. A round has two parts: the small sizes, which are cheap, and
 * the largest, which takes longer than all of them together. The small sizes always get their fewest rounds. Everything
 * else has to fit into the time that is left. Pure: the caller gives the time.
 */
#ifndef GNOMON_BENCH_BOUND_H
#define GNOMON_BENCH_BOUND_H

#include <stdbool.h>

enum bound_part { BOUND_SMALL, BOUND_LARGEST, BOUND_NR_PARTS };

struct bound {
	double seconds;             /* in all */
	int rounds;                 /* wanted */
	int fewest[BOUND_NR_PARTS]; /* the largest size is left out when it would get fewer */
	/* So far: */
	int done[BOUND_NR_PARTS];       /* whole rounds */
	double longest[BOUND_NR_PARTS]; /* seconds of the longest round; 0: none was tried */
	bool largest_is_due;            /* small sizes were measured since it was last tried */
};

/* The part to measure next, `elapsed` seconds after the start; -1: none. *ret_limit becomes the seconds after which to
 * cut it short, 0 for no limit. */
int bound_next(struct bound *b, double elapsed, double *ret_limit);

/* Records that the part took `seconds`. `whole`: it was not cut short. */
void bound_took(struct bound *b, enum bound_part part, double seconds, bool whole);

#endif
