/* SPDX-License-Identifier: MIT */
/* What guest/cost says becomes figures: nothing but exactly what was asked for gets through. */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "bench/workload/op_line.h"

#define N(digits) "000000000000" digits
#define TEXT(ops, blocks, tsc, floors, floor_tsc)                                                                      \
	"cost row=fault ops=" ops " blocks=" blocks " tsc=" tsc " floors=" floors " floor_tsc=" floor_tsc "\n"
#define LINE TEXT(N("00000064"), N("00000008"), N("00004000"), N("00000008"), N("00002000"))

static const struct op_request request = {.row = "fault", .most = 512, .ops = 64, .blocks = 8};

static int output(const char *text, const struct op_request *q, struct op_ticks *ret)
{
	return op_output_parse(text, strlen(text), q, ret);
}

/* Ticks are a block's: 8 operations in each of 8 blocks, 8 floors in each of theirs. */
Test(bench_op_line, good)
{
	struct op_ticks t;

	cr_assert_eq(output(LINE, &request, &t), 0);
	cr_assert_float_eq(t.op, 500, 1e-9);
	cr_assert_float_eq(t.floor, 250, 1e-9);
}

/* A guest that ends in the middle of its line leaves no figure. */
Test(bench_op_line, cut_anywhere)
{
	struct op_ticks t = {.op = -1};

	for (size_t n = 0; n < strlen(LINE); n++)
		cr_assert_lt(op_output_parse(LINE, n, &request, &t), 0, "%zu", n);
	cr_assert_eq(t.op, -1, "untouched on failure");
}

/* Lines that are none: text around it, a second one, numbers of other lengths, signs. */
Test(bench_op_line, hostile)
{
	static const char *const bad[] = {
	    "",
	    "\n",
	    "panic",
	    " " LINE,
	    LINE "\n",
	    LINE LINE,
	    "cost row=fault ops=64 blocks=8 tsc=4000 floors=8 floor_tsc=2000\n",
	    TEXT(N("00000064"), N("00000008"), N("-0004000"), N("00000008"), N("00002000")),
	    TEXT(N("00000064"), N("00000008"), N("000004000"), N("00000008"), N("00002000")),
	    "cost row=fault blocks=" N("00000008") " ops=" N("00000064") " tsc=" N("00004000") " floors=" N(
	        "00000008") " floor_tsc=" N("00002000") "\n",
	};
	struct op_ticks t;

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		cr_assert_eq(output(bad[i], &request, &t), -EBADMSG, "%s", bad[i]);
}

/* Division by zero floors, a clock that stands still, and 2^64 + 5 ticks read as 5. */
Test(bench_op_line, numbers_out_of_range)
{
	static const char *const bad[] = {
	    TEXT(N("00000064"), N("00000008"), N("00000000"), N("00000008"), N("00002000")),
	    TEXT(N("00000064"), N("00000008"), N("00004000"), N("00000000"), N("00002000")),
	    TEXT(N("00000064"), N("00000008"), N("00004000"), N("00000008"), N("00000000")),
	    TEXT(N("00000064"), N("00000008"), "18446744073709551621", N("00000008"), N("00002000")),
	};
	struct op_ticks t;

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		cr_assert_eq(output(bad[i], &request, &t), -ERANGE, "%s", bad[i]);
}

/* A result of another row or another number of operations is not this one's. */
Test(bench_op_line, not_asked_for)
{
	struct op_request q = request;
	struct op_ticks t;

	q.row = "floor";
	cr_assert_eq(output(LINE, &q, &t), -EINVAL);
	q = request;
	q.ops = 65;
	cr_assert_eq(output(LINE, &q, &t), -EINVAL);
	q = request;
	q.blocks = 4;
	cr_assert_eq(output(LINE, &q, &t), -EINVAL);
	q.row = "faul";
	cr_assert_lt(output(LINE, &q, &t), 0, "no beginning of a name is the name");
}

/* The label says what was left out, and of names that this build does not have nothing. */
Test(bench_op_line, options)
{
	char list[OP_MAX_OPTIONS], words[OP_MAX_OPTIONS];

	op_options((const char *const[OP_MAX_WITHOUT]){NULL}, NULL, list, words);
	cr_assert_str_eq(words, "all");
	cr_assert(strstr(list, "root-cache,"));
	cr_assert(strstr(list, "prefetch"));
	op_options((const char *const[OP_MAX_WITHOUT]){"prefetch", "no-such-option"}, NULL, list, words);
	cr_assert_str_eq(words, "all but prefetch");
	cr_assert_null(strstr(list, "prefetch"));
	cr_assert(strstr(list, "root-cache"));
	cr_assert(op_has_option("prefetch"));
	cr_assert_not(op_has_option("prefetc"));
}
