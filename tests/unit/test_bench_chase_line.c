/* SPDX-License-Identifier: MIT */
/* A guest's output becomes figures in a report: nothing but exactly what was asked for may get through. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "bench/workload/chase_line.h"

#define SPARSE "chase pages=16 kind=sparse page=4k loads=1008 tsc=5040\n"
#define DENSE  "chase pages=16 kind=dense page=4k loads=1008 tsc=2016\n"

static const struct chase_request request = {.pages = {16}, .nr_sizes = 1, .loads = 1000};

static int line(const char *text, struct chase_line *ret)
{
	return chase_line_parse(text, strlen(text), ret);
}

static int output(const char *text, const struct chase_request *q, struct chase_ticks *ret)
{
	return chase_output_parse(text, strlen(text), q, ret);
}

/* Each field lands where it belongs. */
Test(bench_chase_line, good)
{
	struct chase_line l;

	cr_assert_eq(line("chase pages=65536 kind=sparse page=2m loads=200000 tsc=123456789", &l), 0);
	cr_assert_eq(l.pages, 65536);
	cr_assert_eq(l.kind, CHASE_SPARSE);
	cr_assert(l.huge);
	cr_assert_eq(l.loads, 200000);
	cr_assert_eq(l.tsc, 123456789);
	cr_assert_eq(line("chase pages=2 kind=dense page=4k loads=16 tsc=1", &l), 0);
	cr_assert_eq(l.kind, CHASE_DENSE);
	cr_assert_not(l.huge);
}

/* References are there or not; those that no walk has are refused. */
Test(bench_chase_line, references)
{
	static const char *const bad[] = {
	    "0-0", "0-4", "4-3", "4-100", "4", "-4", "4-", "4-4 ", "4-4x", "99999999999999999999-4", "4-4-4"};
	struct chase_ticks t;
	struct chase_line l;
	char text[256];

	cr_assert_eq(line("chase pages=2 kind=dense page=4k loads=16 tsc=1", &l), 0);
	cr_assert_eq(l.refs.low, 0);
	cr_assert_eq(line("chase pages=2 kind=dense page=4k loads=16 tsc=1 refs=21-22", &l), 0);
	cr_assert_eq(l.refs.low, 21);
	cr_assert_eq(l.refs.high, 22);
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		snprintf(text, sizeof(text), "chase pages=2 kind=dense page=4k loads=16 tsc=1 refs=%s", bad[i]);
		cr_assert_lt(line(text, &l), 0, "%s", bad[i]);
	}
	cr_assert_eq(output("chase pages=16 kind=sparse page=4k loads=1008 tsc=5040 refs=24-24\n" DENSE, &request, &t),
	             0);
	cr_assert_eq(t.refs.low, 24);
	cr_assert_eq(t.refs.high, 24);
	cr_assert_eq(output(SPARSE DENSE, &request, &t), 0);
	cr_assert_eq(t.refs.high, 0);
}

/* A guest that dies in the middle of a line leaves no figure: cut before the last number, no length is a line. */
Test(bench_chase_line, cut_anywhere)
{
	static const char whole[] = "chase pages=16 kind=sparse page=4k loads=1008 tsc=5";
	struct chase_line l = {.pages = 77};

	cr_assert_eq(chase_line_parse(whole, strlen(whole), &l), 0);
	l.pages = 77;
	for (size_t n = 0; n < strlen(whole); n++)
		cr_assert_lt(chase_line_parse(whole, n, &l), 0, "%zu", n);
	cr_assert_eq(l.pages, 77, "untouched on failure");
}

/* A number cut short is still a number: only the line end tells, so output without it is refused. */
Test(bench_chase_line, cut_last_number)
{
	struct chase_ticks t = {.sparse = -1};

	cr_assert_eq(output(DENSE "chase pages=16 kind=sparse page=4k loads=1008 tsc=50", &request, &t), -EBADMSG);
	cr_assert_eq(t.sparse, -1);
}

/* What strtoull and sscanf would take: signs, blanks, hexadecimal, wrapped numbers, text behind. */
Test(bench_chase_line, hostile)
{
	static const char *const bad[] = {
	    "",
	    " ",
	    "\n",
	    "chase",
	    "panic: kernel page fault",
	    "xchase pages=16 kind=sparse page=4k loads=16 tsc=5",
	    "chase pages=-16 kind=sparse page=4k loads=16 tsc=5",
	    "chase pages= 16 kind=sparse page=4k loads=16 tsc=5",
	    "chase pages=+16 kind=sparse page=4k loads=16 tsc=5",
	    "chase pages=1x10 kind=sparse page=4k loads=16 tsc=5",
	    "chase pages=16 kind=other page=4k loads=16 tsc=5",
	    "chase pages=16 kind=sparse page=1g loads=16 tsc=5",
	    "chase pages=16  kind=sparse page=4k loads=16 tsc=5",
	    "chase pages=16 kind=sparse page=4k loads=16 tsc=5 ",
	    "chase pages=16 kind=sparse page=4k loads=16 tsc=5\r",
	    "chase pages=16 kind=sparse page=4k loads=16 tsc=nan",
	    "chase pages=16 page=4k kind=sparse loads=16 tsc=5",
	    "chase pages=16 kind=sparse page=4k loads=16 tsc=1e9",
	};
	struct chase_line l;

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		cr_assert_eq(line(bad[i], &l), -EINVAL, "%s", bad[i]);
	cr_assert_eq(chase_line_parse("chase pages=1\0 kind=sparse page=4k loads=16 tsc=5", 49, &l), -EINVAL);
}

/* Division by zero loads, and 2^64 + 5 ticks read as 5. */
Test(bench_chase_line, numbers_out_of_range)
{
	struct chase_line l;

	cr_assert_eq(line("chase pages=0 kind=sparse page=4k loads=16 tsc=5", &l), -ERANGE);
	cr_assert_eq(line("chase pages=16 kind=sparse page=4k loads=0 tsc=5", &l), -ERANGE);
	cr_assert_eq(line("chase pages=16 kind=sparse page=4k loads=16 tsc=0", &l), -ERANGE);
	cr_assert_eq(line("chase pages=16 kind=sparse page=4k loads=16 tsc=18446744073709551621", &l), -ERANGE);
	cr_assert_eq(line("chase pages=16 kind=sparse page=4k loads=16 tsc=99999999999999999999999999999999", &l),
	             -ERANGE);
	cr_assert_eq(line("chase pages=16 kind=sparse page=4k loads=16 tsc=9223372036854775807", &l), 0);
}

/* Ticks a load, in the request's order whatever the output's. */
Test(bench_chase_line, whole_output)
{
	static const struct chase_request two = {.pages = {16, 256}, .nr_sizes = 2, .loads = 1000};
	struct chase_ticks t[2];

	cr_assert_eq(output("chase pages=256 kind=dense page=4k loads=1008 tsc=1008\n" DENSE
	                    "chase pages=256 kind=sparse page=4k loads=1000 tsc=9000\n" SPARSE,
	                    &two, t),
	             0);
	cr_assert_float_eq(t[0].sparse, 5.0, 1e-12);
	cr_assert_float_eq(t[0].dense, 2.0, 1e-12);
	cr_assert_float_eq(t[1].sparse, 9.0, 1e-12);
	cr_assert_float_eq(t[1].dense, 1.0, 1e-12);
}

/* Results that nobody asked for, twice, too few, or of fewer loads than asked. */
Test(bench_chase_line, output_not_asked_for)
{
	static const struct chase_request huge = {.pages = {16}, .nr_sizes = 1, .huge = true, .loads = 1000};
	static const struct chase_request longer = {.pages = {16}, .nr_sizes = 1, .loads = 1009};
	static const struct chase_request shorter = {.pages = {16}, .nr_sizes = 1, .loads = 900};
	static const struct chase_request other = {.pages = {17}, .nr_sizes = 1, .loads = 1000};
	struct chase_ticks t;

	cr_assert_eq(output(SPARSE DENSE, &request, &t), 0);
	cr_assert_eq(output(SPARSE DENSE, &huge, &t), -EINVAL);
	cr_assert_eq(output(SPARSE DENSE, &longer, &t), -EINVAL);
	cr_assert_eq(output(SPARSE DENSE, &shorter, &t), -EINVAL);
	cr_assert_eq(output(SPARSE DENSE, &other, &t), -EINVAL);
	cr_assert_eq(output(SPARSE DENSE DENSE, &request, &t), -EINVAL);
	cr_assert_eq(output(SPARSE, &request, &t), -ENODATA);
	cr_assert_eq(output("", &request, &t), -ENODATA);
	cr_assert_eq(output(SPARSE DENSE "\n", &request, &t), -EBADMSG);
	cr_assert_eq(output("hello\n" SPARSE DENSE, &request, &t), -EBADMSG);
}
