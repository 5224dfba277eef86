/* SPDX-License-Identifier: MIT */
/*
 * The interval of a median holds the truth as often as it says, also where neighbouring samples are alike, as the turns
 * of a benchmark on a busy host are: the plain bootstrap takes them for independent, and is too sure of itself.
 */
#include <criterion/criterion.h>
#include <math.h>

#include "bench/bootstrap.h"
#include "bench/stats.h"

#define SETS 300
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

static int covered(double memory)
{
	double x[N], low, high;
	int held = 0;

	for (uint64_t set = 1; set <= SETS; set++) {
		fill(x, N, memory, set);
		cr_assert_eq(bootstrap_median(x, N, STATS_SEED, &low, &high), 0);
		held += low <= 0 && 0 <= high;
	}
	return held;
}

/* 95 % of 300 are 285; with blocks of one sample 254 at 0.5 and 173 at 0.8 are held. Seeded: nothing here flickers. */
Test(bootstrap, covers_what_it_says)
{
	const int independent = covered(0), alike = covered(0.5), very = covered(0.8);

	cr_expect(independent >= 273 && independent <= 297, "%d of 300", independent);
	cr_expect(alike >= 267 && alike <= 297, "%d of 300", alike);
	cr_expect(very >= 258 && very <= 297, "%d of 300", very);
}

/* The more a sample has of the one before it, the longer the blocks; independent ones have none to speak of. */
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
		cr_expect(m ? mean > last * 1.2 : mean < 3, "%g after %g at %g", mean, last, memory[m]);
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
	cr_expect_eq(bootstrap_block(equal, N, 7), 1);
	for (size_t n = 1; n <= N; n++) {
		cr_expect(bootstrap_block(jump, n, 0.5) <= fmax(1, n / 3), "%zu", n);
		cr_expect(bootstrap_block(saw, n, 0.5) <= fmax(1, n / 3), "%zu", n);
	}
	cr_assert_eq(bootstrap_median(jump, N, STATS_SEED, &low, &high), 0);
	cr_expect(low == 0 && high == 1, "where half is 0 and half is 1, in two blocks, the median may be either");
	cr_assert_eq(bootstrap_median(equal, 1, STATS_SEED, &low, &high), 0);
	cr_expect(low == 7 && high == 7);
}
