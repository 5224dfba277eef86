/* SPDX-License-Identifier: MIT */
/*
 * The sentences under the table of `gnomon bench --only balloon`: which bars are met, by the figures and not by what is
 * printed of them, what could not be checked against its bar, and what two rows of a run say together.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "balloon_results.h"

static char *text;

static void setup(void)
{
	measured(balloon_set.cases, balloon_set.nr_cases);
}

static void teardown(void)
{
	free(text);
}

TestSuite(bench_balloon_bars, .init = setup, .fini = teardown);

static void explain(void)
{
	size_t len;
	FILE *to;

	free(text);
	to = open_memstream(&text, &len);
	balloon_explain(&results, to);
	fclose(to);
}

static void expect_said(const char *words)
{
	explain();
	cr_assert(strstr(text, words), "'%s' is not in:\n%s", words, text);
}

static void expect_unsaid(const char *words)
{
	explain();
	cr_assert_null(strstr(text, words), "'%s' is in:\n%s", words, text);
}

/* 0.80 is met, and a little less is not, though it is printed as 0.80. */
Test(bench_balloon_bars, native_rate)
{
	const size_t native = case_of("reclaim-2m", BENCH_NATIVE, false);
	const size_t nested = case_of("reclaim-2m", BENCH_NESTED, false);

	times_of(native, 4, 4, 4);
	times_of(nested, 5, 5, 5);
	expect_said("\nreclaim-2m on 4k, nested: 0.80 of the host's own rate, bar 0.80: met.\n");
	times_of(native, 3.99, 3.99, 3.99);
	expect_said("\nreclaim-2m on 4k, nested: 0.80 of the host's own rate, bar 0.80: NOT met.\n");
	expect_said("\nreclaim-2m on 4k, shadow: 2.00 of the host's own rate, bar 0.80: met.\n");
	expect_said("\nreclaim-2m on thp, nested: 1.00 of the host's own rate, bar 0.80: met.\n");
}

/* The bar for exits is a most: at it is met. */
Test(bench_balloon_bars, exits)
{
	const size_t i = case_of("reclaim-4k", BENCH_SHADOW, false);

	results.series[i].exits = 1.0 / 256;
	expect_said("\nreclaim-4k, shadow: 0.00391 exits a page, bar 0.00391: met.\n");
	results.series[i].exits = 1.0 / 255.9;
	expect_said("\nreclaim-4k, shadow: 0.00391 exits a page, bar 0.00391: NOT met.\n");
	expect_said("\nreclaim-4k, nested: 0.25000 exits a page, bar 0.00391: NOT met.\n");
}

/* A bar without the figures for it is neither met nor missed. */
Test(bench_balloon_bars, not_measured)
{
	static const char unknown[] =
	    "\nreclaim-2m on 4k, nested: the native row was not measured, so its bar was not either.\n";
	const size_t native = case_of("reclaim-2m", BENCH_NATIVE, false);

	strcpy(results.series[native].na, "no memory");
	expect_said(unknown);
	expect_unsaid("reclaim-2m on 4k, nested: 0");
	expect_said("\nreclaim-2m on thp, nested: 1.00 of the host's own rate, bar 0.80: met.\n");
	results.series[native].na[0] = 0;
	expect_unsaid(unknown);
	plan.where = 1 << BENCH_NESTED;
	expect_said(unknown);
	expect_unsaid(", shadow: ");
}

/* A row that failed has no verdict at all. */
Test(bench_balloon_bars, failed_rows)
{
	strcpy(results.series[case_of("reclaim-4k", BENCH_NESTED, false)].na, "killed");
	strcpy(results.series[case_of("reclaim-2m", BENCH_SHADOW, true)].na, "killed");
	expect_unsaid("reclaim-4k, nested: ");
	expect_unsaid("reclaim-2m on thp, shadow: ");
	expect_said("reclaim-4k, shadow: ");
}

/* One verdict for each bar of the workload, none for what has no bar. */
Test(bench_balloon_bars, one_verdict_a_bar)
{
	unsigned bars = 0, verdicts = 0;

	for (size_t i = 0; i < balloon_set.nr_cases; i++)
		bars += (balloon_set.cases[i].native_bar > 0) + (balloon_set.cases[i].exits_bar > 0);
	explain();
	for (const char *p = text; (p = strstr(p, "met.\n")) != NULL; p++)
		verdicts++;
	cr_assert_eq(verdicts, bars, "%s", text);
}

/* Each operation is described, and how many rounds there were. */
Test(bench_balloon_bars, what_was_done)
{
	for (size_t i = 0; i < balloon_set.nr_cases; i++)
		if (balloon_set.cases[i].what)
			expect_said(balloon_set.cases[i].what);
	expect_said("the median of 6 rounds.");
}

/* Two rows of a run: which is divided by which, in both modes, on the backing that is named; both or nothing. */
Test(bench_balloon_bars, pairs)
{
	static const struct {
		const char *a, *b, *words;
		bool thp;
	} pairs[] = {
	    {"reclaim-2m-report", "reclaim-2m", "reclaim in nested mode reaches 4.00 (95% interval 3.00 to 5.00).\n",
	     false},
	    {"reclaim-2m-report", "reclaim-2m",
	     "The same on thp: nested mode reaches 4.00 (95% interval 3.00 to 5.00).\n", true},
	    {"slice-zap", "slice-split",
	     "Taking 2 MiB to get 64 KiB costs nested mode 4.00 times a split (95% interval 3.00 to 5.00).\n", false},
	};

	for (size_t i = 0; i < sizeof(pairs) / sizeof(*pairs); i++) {
		const size_t a = case_of(pairs[i].a, BENCH_NESTED, pairs[i].thp);
		const size_t b = case_of(pairs[i].b, BENCH_NESTED, pairs[i].thp);

		setup();
		times_of(a, 3, 4, 5);
		times_of(b, 1, 1, 1);
		expect_said(pairs[i].words);
		strcpy(results.series[a].na, "killed");
		expect_unsaid(pairs[i].words);
		results.series[a].na[0] = 0;
		strcpy(results.series[b].na, "killed");
		expect_unsaid(pairs[i].words);
	}
	expect_said("costs shadow mode 1.00 times a split");
}

static void loads(double dense, double load, double holes, double joined)
{
	times_of(case_of("load-dense", BENCH_NESTED, true), dense, dense, dense);
	times_of(case_of("load", BENCH_NESTED, true), load, load, load);
	times_of(case_of("load-holes", BENCH_NESTED, true), holes, holes, holes);
	times_of(case_of("load-joined", BENCH_NESTED, true), joined, joined, joined);
}

/* What a line side by side costs is no TLB miss: it is subtracted on both sides of each ratio. */
Test(bench_balloon_bars, tlb_miss)
{
	loads(0.5, 0.6, 0.8, 0.7);
	expect_said("A TLB miss (load less load-dense) in nested mode costs 100 ns (95% interval 100 to 100);\n"
	            "  with a hole in each 2 MiB 3.00 times that (95% interval 3.00 to 3.00)\n"
	            "  after the collapse 2.00 times that (95% interval 2.00 to 2.00)\n");
	loads(0.5, 0.6, 0.5, 0.4);
	expect_said("  with a hole in each 2 MiB n/a: a load was no slower than a dense one in some round\n"
	            "  after the collapse n/a: a load was no slower than a dense one in some round\n");
}

/* One of the rows is missing: its sentence is, and all of them without the first or the dense one. */
Test(bench_balloon_bars, tlb_miss_without_rows)
{
	static const char *const needed[] = {"load", "load-dense"};

	loads(0.5, 0.6, 0.8, 0.7);
	strcpy(results.series[case_of("load-holes", BENCH_NESTED, true)].na, "killed");
	expect_said("in nested mode costs 100 ns (95% interval 100 to 100);\n  after the collapse 2.00 times that");
	for (size_t i = 0; i < 2; i++) {
		strcpy(results.series[case_of(needed[i], BENCH_NESTED, true)].na, "killed");
		expect_unsaid("in nested mode costs");
		results.series[case_of(needed[i], BENCH_NESTED, true)].na[0] = 0;
	}
}

/* Without a single figure there is nothing to explain. */
Test(bench_balloon_bars, nothing_measured)
{
	for (size_t i = 0; i < balloon_set.nr_cases; i++)
		strcpy(results.series[i].na, "no KVM");
	explain();
	cr_assert_str_eq(text, "");
	results.series[case_of("load", BENCH_SHADOW, true)].na[0] = 0;
	expect_said("Times are an operation's");
	plan.where = 1 << BENCH_NESTED; /* what was measured does not take part */
	explain();
	cr_assert_str_eq(text, "");
}
