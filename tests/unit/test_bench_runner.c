/* SPDX-License-Identifier: MIT */
/*
 * The runner, with a workload that is made up: who takes turns and how often, what ends a run, and who gets the tables.
 * No child runs.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bench/runner.h"

#define NR_CASES  6
#define GROUP     3
#define MAX_TURNS 256

static struct host_info host;
static struct bench_plan asked;
static struct turn turns[MAX_TURNS]; /* as they were taken */
static size_t nr_turns, nr_tables;
static int prepared[NR_CASES], begun, released;
static struct bench_run ended; /* what finish() was told */
static int fails_with;
static size_t fails_at; /* the number of the turn */
static bool has_reason[NR_CASES];

static int begin(void *results, const struct bench_plan *plan)
{
	begun++;
	return 0;
}

static size_t nr_cases(const void *results)
{
	return NR_CASES;
}

static bool is_due(const void *results, size_t i)
{
	return !has_reason[i];
}

static size_t group_end(const void *results, size_t first)
{
	return first + GROUP;
}

static void describe(const void *results, size_t i, char *ret_text, size_t size)
{
	snprintf(ret_text, size, "case %zu", i);
}

static int prepare(void *results, const struct turn *turn)
{
	prepared[turn->i]++;
	return 0;
}

static int take_turn(void *results, const struct turn *turn)
{
	cr_assert_lt(nr_turns, (size_t)MAX_TURNS);
	turns[nr_turns++] = *turn;
	return nr_turns == fails_at ? fails_with : 0;
}

static void finish(void *results, const struct bench_run *run)
{
	ended = *run;
}

static bool any(const void *results)
{
	return nr_turns > 0;
}

static int report(const void *results, struct report **ret_table)
{
	static const struct report_column column = {"n", "n", NULL, 0};

	*ret_table = report_new("made up", &column, 1);
	return 0;
}

static int no_report(const void *results, struct report **ret_table)
{
	return 0;
}

static void release(void *results)
{
	released++;
}

static const struct workload fake = {
    .name = "fake",
    .rounds = 4,
    .quick_rounds = 2,
    .untimed_rounds = 1,
    .quick_seconds = 1e-9,
    .fewest = {[BOUND_SMALL] = 2, [BOUND_LARGEST] = 1},
    .results_size = 8,
    .begin = begin,
    .nr_cases = nr_cases,
    .is_due = is_due,
    .group_end = group_end,
    .describe = describe,
    .prepare = prepare,
    .turn = take_turn,
    .finish = finish,
    .any = any,
    .tables = {no_report, report},
    .release = release,
};

static int take(void *arg, struct report *table)
{
	nr_tables++;
	report_free(table);
	return *(int *)arg;
}

static int take_result;
static bool measured;

static int run(void)
{
	const struct runner_output output = {.take = take, .arg = &take_result};

	return runner_run(&fake, &asked, &output, &measured);
}

static void setup(void)
{
	host = (struct host_info){0};
	asked = (struct bench_plan){.host = &host, .seed = 1, .limits = {.signal_fd = -1, .seconds = 300}};
}

TestSuite(bench_runner, .init = setup);

/* In each round every case takes one turn, and those to be compared run next to each other. */
Test(bench_runner, rounds)
{
	cr_assert_eq(run(), 0);
	cr_assert_eq(nr_turns, 4u * NR_CASES);
	for (size_t t = 0; t < nr_turns; t += GROUP) {
		unsigned seen = 0;

		for (size_t n = t; n < t + GROUP; n++) {
			seen |= 1u << turns[n].i;
			cr_expect_eq(turns[n].round, (int)(n / NR_CASES));
			cr_expect_eq(turns[n].parts, TURN_ALL);
			cr_expect_not(turns[n].cut_short);
			cr_expect_eq(turns[n].limits.seconds, 300);
		}
		cr_expect_eq(seen, t / GROUP % 2 ? 0x38u : 7u);
	}
	cr_expect_eq(ended.done[BOUND_SMALL], 4);
	cr_expect_eq(ended.done[BOUND_LARGEST], 4);
	cr_expect_gt(ended.tsc_mhz, 0);
	for (int i = 0; i < NR_CASES; i++)
		cr_expect_eq(prepared[i], 1);
	cr_expect_eq(nr_tables, 1u, "a table with nothing to say is none");
	cr_expect(measured);
	cr_expect_eq(released, 1);
}

/* Over many rounds each case of a group comes first. */
Test(bench_runner, order)
{
	unsigned first = 0;

	asked.rounds = 30;
	cr_assert_eq(run(), 0);
	for (size_t t = 0; t < nr_turns; t += NR_CASES)
		first |= 1u << turns[t].i;
	cr_expect_eq(first, 7u);
}

/* A case with a reason is left alone. */
Test(bench_runner, reasons)
{
	has_reason[1] = true;
	cr_assert_eq(run(), 0);
	cr_assert_eq(nr_turns, 4u * (NR_CASES - 1));
	for (size_t t = 0; t < nr_turns; t++)
		cr_expect_neq(turns[t].i, 1u);
	cr_expect_eq(prepared[1], 0);
}

/* The end by a signal: no more turns and no table, and nothing leaks. */
Test(bench_runner, interrupted)
{
	fails_with = -EINTR;
	fails_at = 3;
	cr_assert_eq(run(), -EINTR);
	cr_expect_eq(nr_turns, 3u);
	cr_expect_eq(nr_tables, 0u);
	cr_expect_eq(released, 1);
	cr_expect_not(measured);
}

/* What was done until then is reported: whole rounds, of which the workload is told. */
Test(bench_runner, interrupted_later)
{
	asked.rounds = 5;
	asked.limits.signal_fd = -1;
	fails_with = -EINTR;
	fails_at = 2 * NR_CASES + 2;
	cr_assert_eq(run(), -EINTR);
	cr_expect_eq(nr_turns, fails_at);
	cr_expect_gt(nr_tables, 0u);
	cr_expect_eq(ended.done[BOUND_SMALL], 2);
	cr_expect_eq(released, 1);
	cr_expect(measured);
}

/* Nobody reads the tables: that ends the run. */
Test(bench_runner, nobody_reads)
{
	take_result = -EPIPE;
	cr_assert_eq(run(), -EPIPE);
	cr_expect_not(measured);
	cr_expect_eq(released, 1);
}

/* Without time the small part has its fewest rounds, and a round that was cut short does not count. */
Test(bench_runner, no_time)
{
	asked.quick = true;
	cr_assert_eq(run(), 0);
	cr_assert_eq(nr_turns, 2u * NR_CASES);
	for (size_t t = 0; t < nr_turns; t++)
		cr_expect_eq(turns[t].parts, TURN_SMALL);
	cr_expect_eq(ended.done[BOUND_SMALL], 2);
	cr_expect_eq(ended.done[BOUND_LARGEST], 0);
	fails_with = -ETIMEDOUT;
	fails_at = nr_turns + 2;
	cr_assert_eq(run(), 0);
	cr_expect_eq(ended.done[BOUND_SMALL], 2, "another round in its place");
}

/* --runs goes before the workload's own number and its limit; a host without times before both. */
Test(bench_runner, plans)
{
	cr_expect_eq(runner_plan(&fake, &asked).rounds, 4);
	cr_expect_eq(runner_plan(&fake, &asked).seconds, 0);
	asked.quick = true;
	cr_expect_eq(runner_plan(&fake, &asked).rounds, 2);
	cr_expect_gt(runner_plan(&fake, &asked).seconds, 0);
	asked.rounds = 9;
	cr_expect_eq(runner_plan(&fake, &asked).rounds, 9);
	cr_expect_eq(runner_plan(&fake, &asked).seconds, 0);
	host.emulator = HOST_EMULATOR_QEMU;
	cr_expect_eq(runner_plan(&fake, &asked).rounds, 1);
}
