/* SPDX-License-Identifier: MIT */
/* Workload `fork`: what its guest prints, read back; what is no such output is refused. */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "bench/workload/fork.h"

#define SHARE "fork how=share mib=64 ticks=2600000 tables=1 copied-tables=12 copied-pages=9\n"
#define COPY  "fork how=copy mib=64 ticks=156000000 tables=37 copied-tables=0 copied-pages=9\n"

static int parse(const char *text, struct fork_sample got[FORK_NR_WAYS])
{
	return fork_output_parse(text, strlen(text), 64, got);
}

Test(bench_fork, good_output)
{
	struct fork_sample got[FORK_NR_WAYS];

	cr_assert_eq(parse(SHARE COPY, got), 0);
	cr_assert_eq(got[FORK_SHARING].ticks, 2600000);
	cr_assert_eq(got[FORK_SHARING].tables, 1u);
	cr_assert_eq(got[FORK_SHARING].copied_tables, 12u);
	cr_assert_eq(got[FORK_SHARING].copied_pages, 9u);
	cr_assert_eq(got[FORK_COPYING].ticks, 156000000);
	cr_assert_eq(got[FORK_COPYING].tables, 37u);
}

Test(bench_fork, bad_output)
{
	static const char *const wrong[] = {
	    "",
	    SHARE,
	    COPY SHARE,
	    SHARE SHARE,
	    SHARE COPY "x",
	    "x" SHARE COPY,
	    SHARE "\n" COPY,
	    "fork how=share mib=32 ticks=1 tables=1 copied-tables=1 copied-pages=1\n" COPY,
	    "fork how=share mib=64 ticks=0 tables=1 copied-tables=1 copied-pages=1\n" COPY,
	    "fork how=share mib=64 ticks=-1 tables=1 copied-tables=1 copied-pages=1\n" COPY,
	    "fork how=share mib=64 ticks=01 tables=1 copied-tables=1 copied-pages=1\n" COPY,
	    "fork how=share mib=64 ticks=99999999999999999999 tables=1 copied-tables=1 copied-pages=1\n" COPY,
	    "fork: no memory: give the machine more\n",
	};
	struct fork_sample got[FORK_NR_WAYS];
	char cut[] = SHARE COPY;

	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
		cr_assert_eq(parse(wrong[i], got), -EINVAL, "%zu", i);
	for (size_t len = 0; len < sizeof(cut) - 1; len++)
		cr_assert_eq(fork_output_parse(cut, len, 64, got), -EINVAL, "%zu", len);
	cut[20] = 0;
	cr_assert_eq(fork_output_parse(cut, sizeof(cut) - 1, 64, got), -EINVAL);
}
