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
static char left_out[NR_CASES][64];

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

static int run_workload(const struct workload *w)
{
	const struct runner_output output = {.take = take, .arg = &take_result};

	return runner_run(w, &asked, &output, &measured);
}

static int run(void)
{
	return run_workload(&fake);
}

static void leave_out(void *results, size_t i, const char *why)
{
	has_reason[i] = true;
	snprintf(left_out[i], sizeof(left_out[i]), "%s", why);
}

/* With --quick and a limit by groups. */
static int run_groups(double seconds)
{
	struct workload w = fake;

	w.quick_seconds = 0;
	w.group_seconds = seconds;
	w.leave_out = leave_out;
	asked.quick = true;
	asked.rounds = 3;
	return run_workload(&w);
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

/* With a limit by groups one group has all its rounds before the next begins, and each case is prepared once. */
Test(bench_runner, groups)
{
	cr_assert_eq(run_groups(1e6), 0);
	cr_assert_eq(nr_turns, 3u * NR_CASES);
	for (size_t t = 0; t < nr_turns; t++) {
		cr_expect_eq(turns[t].i / GROUP, t / (3 * GROUP));
		cr_expect_eq(turns[t].round, (int)(t / GROUP % 3));
		cr_expect_eq(turns[t].limits.seconds, 300);
	}
	for (int i = 0; i < NR_CASES; i++)
		cr_expect(prepared[i] == 1 && !has_reason[i]);
	cr_expect_eq(ended.done[BOUND_SMALL], 3);
	asked.quick = false;
	nr_turns = 0;
	cr_assert_eq(run(), 0);
	cr_expect_eq(turns[GROUP].i / GROUP, 1u, "without --quick rounds go through all groups");
}

/*
 * --quick on a busy host: one group with all its rounds, and the others say why they have none. Ablation took more than
 * 11 minutes with --runs 2 on a host with a load of 15, and had no interval for it.
 */
Test(bench_runner, groups_without_time)
{
	cr_assert_eq(run_groups(1e-12), 0);
	cr_assert_eq(nr_turns, 3u * GROUP);
	for (int i = 0; i < NR_CASES; i++) {
		cr_expect_eq(prepared[i], i < GROUP);
		cr_expect_eq(strncmp(left_out[i], "--quick: ", 9) == 0, i >= GROUP, "%s", left_out[i]);
	}
	cr_expect_eq(ended.done[BOUND_SMALL], 3);
	cr_expect(measured);
}

/* A first group that cannot be measured takes no time, and no other's place. */
Test(bench_runner, groups_with_reasons)
{
	for (int i = 0; i < GROUP; i++)
		has_reason[i] = true;
	cr_assert_eq(run_groups(1e-12), 0);
	cr_expect_eq(nr_turns, 3u * (NR_CASES - GROUP));
	cr_expect_str_empty(left_out[0]);
}

/* What was whole when the signal came is reported; what was not says so. In the first group that is nothing. */
Test(bench_runner, groups_interrupted)
{
	fails_with = -EINTR;
	fails_at = 3 * GROUP + 2;
	cr_assert_eq(run_groups(1e6), -EINTR);
	cr_expect_gt(nr_tables, 0u);
	cr_expect(measured);
	for (int i = 0; i < NR_CASES; i++)
		cr_expect_eq(strstr(left_out[i], "interrupted") != NULL, i >= GROUP, "%s", left_out[i]);
	cr_expect_eq(ended.done[BOUND_SMALL], 3);
}

Test(bench_runner, groups_interrupted_at_once)
{
	fails_with = -EINTR;
	fails_at = 2;
	cr_assert_eq(run_groups(1e6), -EINTR);
	cr_expect_eq(nr_tables, 0u);
	cr_expect_not(measured);
}
