/* SPDX-License-Identifier: MIT */
/* `bench --quick` ends in time on a host of any speed: it measures less, but never less than it says. No clock here. */
#include <criterion/criterion.h>

#include "bench/bound.h"

#define SECONDS 50.0
#define ROUNDS  9
#define SMALL   6
#define LARGEST 3

static struct bound bound;

/* Seconds in all, when a round of each part takes so long; the largest is cut short where it has to be. */
static double run(double small, double largest)
{
	double elapsed = 0, limit;
	int part;

	bound = (struct bound){.seconds = SECONDS, .rounds = ROUNDS, .fewest = {SMALL, LARGEST}};
	while ((part = bound_next(&bound, elapsed, &limit)) >= 0) {
		const double wanted = part == BOUND_SMALL ? small : largest;
		const double took = limit > 0 && limit < wanted ? limit : wanted;

		cr_assert(part == BOUND_LARGEST || limit == 0, "the small sizes are never cut short");
		bound_took(&bound, part, took, took == wanted);
		elapsed += took;
		cr_assert_lt(bound.done[BOUND_SMALL], ROUNDS + 1);
	}
	return elapsed;
}

/* With time enough everything is measured. */
Test(bench_bound, quick_host)
{
	cr_assert_leq(run(1, 2.5), SECONDS);
	cr_assert_eq(bound.done[BOUND_SMALL], ROUNDS);
	cr_assert_eq(bound.done[BOUND_LARGEST], ROUNDS);
}

/* Of a host that is somewhat slower fewer rounds, of the largest size first, and no fewer than the fewest. */
Test(bench_bound, busy_host)
{
	cr_assert_leq(run(2, 7), SECONDS);
	cr_assert_geq(bound.done[BOUND_LARGEST], LARGEST);
	cr_assert_lt(bound.done[BOUND_LARGEST], ROUNDS);
	cr_assert_geq(bound.done[BOUND_SMALL], SMALL);
}

/* The largest size is not begun again when it cannot be measured often enough. */
Test(bench_bound, largest_takes_too_long)
{
	cr_assert_leq(run(2, 20), SECONDS);
	cr_assert_eq(bound.done[BOUND_LARGEST], 1);
	cr_assert_eq(bound.done[BOUND_SMALL], ROUNDS);
	cr_assert_leq(run(2, 1e9), SECONDS);
	cr_assert_eq(bound.done[BOUND_LARGEST], 0);
	cr_assert_geq(bound.done[BOUND_SMALL], SMALL);
}

/* On any host: in time if the fewest rounds of the small sizes are, and always these. */
Test(bench_bound, any_host)
{
	for (double small = 0.01; small < 100; small *= 1.2)
		for (double largest = 0.01; largest < 1000; largest *= 1.2) {
			const double took = run(small, largest);

			cr_assert_leq(took, (SMALL * small > SECONDS ? SMALL * small : SECONDS) + 1e-6, "%f %f", small,
			              largest);
			cr_assert_geq(bound.done[BOUND_SMALL], SMALL);
		}
}
