/* SPDX-License-Identifier: MIT */
/*
 * What is made of a run that was interrupted: of fewer rounds than there is room for. All their samples are in the unit of
 * the table, whichever array they are in, as a ratio of two units is no ratio.
 */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "bench/workload/chase.h"
#include "bench/workload/op.h"
#include "bench/workload/turn.h"

#define ROOM 7
#define DONE 3
#define MHZ  2000

static const struct host_info host = {.second_stage = HOST_STAGE_EPT};
static const struct bench_run ended = {.tsc_mhz = MHZ, .done = {[BOUND_SMALL] = DONE, [BOUND_LARGEST] = DONE}};

static void fill(double *a, double *b)
{
	for (int i = 0; i < DONE; i++) {
		a[i] = 1000 * (i + 1);
		b[i] = 10 * (i + 1);
	}
}

static void expect_scaled(const double *a, const double *b, double by, const char *who)
{
	for (int i = 0; i < DONE; i++) {
		cr_expect_float_eq(a[i], 1000 * (i + 1) * by, 1e-9, "%s, sample %d", who, i);
		cr_expect_float_eq(b[i], 10 * (i + 1) * by, 1e-9, "%s, sample %d of the other", who, i);
	}
}

Test(bench_rounds, pair)
{
	double *a, *b;

	for (int room = DONE; room <= ROOM; room++) {
		cr_assert_eq(series_pair(room, &a, &b), 0);
		fill(a, b);
		series_scale(a, b, DONE, 0.5);
		expect_scaled(a, b, 0.5, "pair");
		free(a);
	}
}

Test(bench_rounds, operations)
{
	static const struct op_case cases[] = {{.row = "floor", .where = BENCH_NESTED},
	                                       {.row = "floor", .where = BENCH_SHADOW}};
	static const struct op_set set = {.cases = cases, .nr_cases = 2};
	static struct op_results res;
	struct bench_plan plan = {.host = &host, .rounds = ROOM};

	cr_assert_eq(op_begin(&res, &set, &plan), 0);
	for (int i = 0; i < 2; i++)
		fill(res.series[i].us, res.series[i].floor_us);
	plan.rounds = DONE;
	op_finish(&res, &ended);
	for (int i = 0; i < 2; i++)
		expect_scaled(res.series[i].us, res.series[i].floor_us, 1.0 / MHZ, "operation");
	op_release(&res);
}

Test(bench_rounds, chase)
{
	static struct chase_results res;
	struct bench_plan plan = {.host = &host, .rounds = ROOM, .quick = true};

	cr_assert_eq(chase_workload.begin(&res, &plan), 0);
	for (size_t i = 0; i < res.nr_sizes; i++)
		fill(res.series[BENCH_NATIVE][CHASE_4K][i].sparse, res.series[BENCH_NATIVE][CHASE_4K][i].dense);
	plan.rounds = DONE;
	chase_workload.finish(&res, &ended);
	for (size_t i = 0; i < res.nr_sizes; i++)
		expect_scaled(res.series[BENCH_NATIVE][CHASE_4K][i].sparse, res.series[BENCH_NATIVE][CHASE_4K][i].dense,
		              1e3 / MHZ, "chase");
	chase_workload.release(&res);
}
