/* SPDX-License-Identifier: MIT */
/*
 * The rows of `gnomon bench --only balloon`: what is asked of the guest fits into it, each bar has the row that it is
 * checked against, and the native rows say what they did as a guest would.
 */
#include <criterion/criterion.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "balloon_results.h"

#define ARENA (192ull << 20) /* guest/cost/cost.h: COST_ARENA */

/* Every block has as many operations as the others, half of them can be counted, and there is room for all. */
Test(bench_balloon, requests_that_can_be_met)
{
	measured(balloon_set.cases, balloon_set.nr_cases);
	for (size_t i = 0; i < balloon_set.nr_cases; i++) {
		const struct op_case *c = &balloon_set.cases[i];

		cr_expect_gt(c->blocks, 0u, "%s", c->row);
		cr_expect_gt(c->ops / 2, 0u, "%s", c->row);
		cr_expect_eq(c->ops % c->blocks, 0u, "%s: %u in %u blocks", c->row, c->ops, c->blocks);
		/* Every other one of what is touched: the rest keeps runs apart. */
		cr_expect_leq(2 * c->ops * c->bytes, ARENA, "%s", c->row);
		cr_expect_eq(case_of(c->row, c->where, c->thp), i);
	}
}

/* A rate is compared with that of the same bytes, operations and backing; a process of the host has no bars. */
Test(bench_balloon, bars_have_something_to_be_checked_against)
{
	unsigned bars = 0;

	measured(balloon_set.cases, balloon_set.nr_cases);
	for (size_t i = 0; i < balloon_set.nr_cases; i++) {
		const struct op_case *c = &balloon_set.cases[i], *native;

		cr_expect_eq(c->floors_bar + c->nested_bar, 0, "%s: balloon_explain() knows no such bar", c->row);
		if (c->where == BENCH_NATIVE)
			cr_expect_eq(c->native_bar + c->exits_bar, 0, "%s", c->row);
		if (c->exits_bar > 0)
			bars++;
		if (c->native_bar <= 0)
			continue;
		bars++;
		native = &balloon_set.cases[case_of(c->row, BENCH_NATIVE, c->thp)];
		cr_expect_eq(native->bytes, c->bytes, "%s", c->row);
		cr_expect_eq(native->ops, c->ops, "%s", c->row);
		cr_expect_eq(native->blocks, c->blocks, "%s", c->row);
	}
	cr_expect_gt(bars, 0u);
}

/* An operation is explained where it first stands, and once. */
Test(bench_balloon, each_operation_is_explained)
{
	for (size_t i = 0; i < balloon_set.nr_cases; i++) {
		bool first = true;

		for (size_t j = 0; j < i; j++)
			first &= strcmp(balloon_set.cases[j].row, balloon_set.cases[i].row) != 0;
		cr_expect_eq(balloon_set.cases[i].what != NULL, first, "%s, row %zu", balloon_set.cases[i].row, i);
	}
}

/* What a native row prints, read back. */
static int native_output(const struct op_request *q, uint64_t bytes, struct op_ticks *ret_ticks)
{
	const struct op_native n = {.request = q, .bytes = bytes};
	const int out = memfd_create("out", MFD_CLOEXEC), before = dup(STDOUT_FILENO);
	char text[512];
	ssize_t len;

	cr_assert_geq(out, 0);
	dup2(out, STDOUT_FILENO);
	cr_expect_eq(balloon_native(&n), 0);
	dup2(before, STDOUT_FILENO);
	close(before);
	len = pread(out, text, sizeof(text), 0);
	close(out);
	cr_assert_gt(len, 0);
	return op_output_parse(text, len, q, ret_ticks);
}

/* The native rows are read by what reads guests: the line says what was asked for, with times in it. */
Test(bench_balloon, native_rows_speak_as_guests_do)
{
	static const struct op_request requests[] = {
	    {.row = "reclaim-4k", .most = 64, .ops = 64, .blocks = 4},
	    {.row = "reclaim-4k-untouched", .most = 64, .ops = 32, .blocks = 2},
	    {.row = "reclaim-2m", .most = 2, .ops = 2, .blocks = 1},
	};
	static const uint64_t bytes[] = {0x1000, 0x1000, 0x200000};

	for (size_t i = 0; i < sizeof(requests) / sizeof(*requests); i++) {
		struct op_ticks t = {0};

		cr_assert_eq(native_output(&requests[i], bytes[i], &t), 0, "%s", requests[i].row);
		cr_expect_gt(t.op, 0);
		cr_expect_gt(t.floor, 0);
	}
}
