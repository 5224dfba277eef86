/* SPDX-License-Identifier: MIT */
/*
 * The interval of a median holds the truth as often as it says, also where neighbouring samples are alike, as the turns
 * of a benchmark on a busy host are: the plain bootstrap takes them for independent, and is too sure of itself.
 */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>

#include "bench/bootstrap.h"
#include "bench/stats.h"

#define SETS 400
#define N    200

static uint64_t random_state;

/* xorshift64* (Vigna 2016). Uniform in (-1, 1). */
static double noise(void)
{
	random_state ^= random_state >> 12;
	random_state ^= random_state << 25;
	random_state ^= random_state >> 27;
	return (double)(int64_t)(random_state * 0x2545f4914f6cdd1d) / 9.3e18;
}

/* Each sample has `memory` of the one before it. The median is 0. */
static void fill(double *x, size_t n, double memory, uint64_t seed)
{
	double last = 0;

	random_state = seed * 0x9e3779b97f4a7c15 + 1;
	for (int i = 0; i < 100; i++)
		last = memory * last + noise();
	for (size_t i = 0; i < n; i++)
		x[i] = last = memory * last + noise();
}

static int covered(double memory, size_t n)
{
	double x[N], low, high;
	int held = 0;

	for (uint64_t set = 1; set <= SETS; set++) {
		fill(x, n, memory, set);
		cr_assert_eq(bootstrap_median(x, n, STATS_SEED, &low, &high), 0);
		held += low <= 0 && 0 <= high;
	}
	return held;
}

/*
 * 95 % of 400 are 380. What was wrong before: blocks as short as the correlations that 48 samples show held 330 at 0.5,
 * and 350 of 7 independent ones. Of 48 samples that have 0.8 of the one before no method makes 95 %; that it is not far
 * less is shown, and docs/measuring.md says so. Seeded: nothing here flickers.
 */
Test(bootstrap, covers_what_it_says)
{
	static const struct {
		double memory;
		size_t n;
		int least;
	} cases[] = {{0, 6, 372},    {0, 7, 372},    {0, 11, 370},    {0, 48, 370},   {0, 200, 370},
	             {0.3, 48, 362}, {0.5, 48, 364}, {0.5, 200, 370}, {0.8, 48, 325}, {0.8, 200, 366}};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		const int held = covered(cases[i].memory, cases[i].n);

		cr_expect(held >= cases[i].least && held <= 396, "%d of 400, %zu with %g", held, cases[i].n,
		          cases[i].memory);
	}
}

/* What it costs to be right: with independent samples an interval is at most a sixth wider than the plain bootstrap's. */
Test(bootstrap, is_not_wider_than_it_must_be)
{
	double x[N], low, high, wide = 0;

	for (uint64_t set = 1; set <= SETS; set++) {
		fill(x, N, 0, set);
		cr_assert_eq(bootstrap_median(x, N, STATS_SEED, &low, &high), 0);
		wide += (high - low) / SETS;
	}
	/* Uniform in (-1, 1), so the standard error of the median is 1 / sqrt(n). */
	cr_expect(wide > 2 * 1.8 / sqrt(N) && wide < 2 * 1.96 * 7 / 6 / sqrt(N), "%g", wide);
}

static int compare_doubles(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

/*
 * Blocks that are cut from a series lose what neighbours have across the cuts: without what makes up for that, intervals
 * are 3 % too narrow here. How wide they must be is what the medians of all sets say, around a truth of 0.
 */
Test(bootstrap, is_not_narrower_than_it_must_be)
{
	double x[N], low, high, wide = 0, squares = 0;

	for (uint64_t set = 1; set <= SETS; set++) {
		double median;

		fill(x, N, 0.5, set);
		cr_assert_eq(bootstrap_median(x, N, STATS_SEED, &low, &high), 0);
		wide += (high - low) / SETS;
		qsort(x, N, sizeof(*x), compare_doubles);
		median = (x[N / 2 - 1] + x[N / 2]) / 2;
		squares += median * median / SETS;
	}
	wide /= 2 * 1.96 * sqrt(squares);
	cr_expect(wide > 1 && wide < 1.2, "%g of what the medians ask for", wide);
}

/* The more a sample has of the one before it, the longer the blocks; where they are alike at all, the cube root of n. */
Test(bootstrap, block_grows_with_memory)
{
	const double memory[] = {0, 0.5, 0.8, 0.95};
	double last = 0;

	for (size_t m = 0; m < sizeof(memory) / sizeof(*memory); m++) {
		double x[N], mean = 0;

		for (uint64_t set = 1; set <= 50; set++) {
			fill(x, N, memory[m], set);
			mean += (double)bootstrap_block(x, N, 0) / 50;
		}
		cr_expect(m ? mean > last * 1.2 : mean >= 2 && mean < 6, "%g after %g at %g", mean, last, memory[m]);
		last = mean;
	}
}

/* No division by nothing, no block longer than a third: few samples, equal ones, one jump, a saw. */
Test(bootstrap, edges)
{
	double equal[N], jump[N], saw[N], low, high;

	for (size_t i = 0; i < N; i++) {
		equal[i] = 7;
		jump[i] = i < N / 2;
		saw[i] = i % 2;
	}
	cr_expect_eq(bootstrap_block(equal, N, 7), 6); /* the cube root */
	for (size_t n = 1; n <= N; n++) {
		cr_expect(bootstrap_block(jump, n, 0.5) <= fmax(1, n / 3), "%zu", n);
		cr_expect(bootstrap_block(saw, n, 0.5) <= fmax(1, n / 3), "%zu", n);
	}
	cr_assert_eq(bootstrap_median(jump, N, STATS_SEED, &low, &high), 0);
	cr_expect(low == 0 && high == 1, "where half is 0 and half is 1, in two blocks, the median may be either");
	/* Blocks of an even length would have as much of 0 as of 1, and be sure of a half. */
	cr_expect_eq(bootstrap_block(saw, N, 0.5), 1);
	cr_assert_eq(bootstrap_median(saw, N, STATS_SEED, &low, &high), 0);
	cr_expect(low == 0 && high == 1);
	cr_assert_eq(bootstrap_median(equal, 1, STATS_SEED, &low, &high), 0);
	cr_expect(low == 7 && high == 7);
}

/* A verdict is the interval's: "NOT met" once came of two rounds, and two turns had an interval of -inf to inf. */
Test(bootstrap, words)
{
	static const struct {
		struct stats_ratio r;
		const char *at_most, *at_least; /* 1 */
	} cases[] = {
	    {{9, 0.9, 0.8, 0.95}, "met", "NOT met"},
	    {{9, 1.2, 1.1, 1.3}, "NOT met", "met"},
	    {{9, 0.9, 0.8, 1.1},
	     "met by the median, the interval holds the bar",
	     "NOT met by the median, the interval holds the bar"},
	    {{9, 1.1, 0.9, 1.2},
	     "NOT met by the median, the interval holds the bar",
	     "met by the median, the interval holds the bar"},
	    {{9, 1, 1, 1}, "met", "met"},
	    {{2, 2.8, -INFINITY, INFINITY},
	     "NOT met by the median, too few rounds to be sure",
	     "met by the median, too few rounds to be sure"},
	};
	char words[STATS_WORDS];

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		cr_expect_str_eq(stats_bar(&cases[i].r, 1, false), cases[i].at_most, "%zu", i);
		cr_expect_str_eq(stats_bar(&cases[i].r, 1, true), cases[i].at_least, "%zu", i);
	}
	cr_expect_str_eq(stats_interval(0.984, 1.016, 2, words), "95% interval 0.98 to 1.02");
	cr_expect_str_eq(stats_interval(-INFINITY, INFINITY, 2, words), "fewer than 6 rounds: no 95% interval");
}
