/* SPDX-License-Identifier: MIT */
/*
 * The workload `switch`: what its driver prints, read back, and what the table makes of made-up series. Times of one
 * mode must not be taken for those of the other, nor of one case for those of its neighbour.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/workload/switch.h"
#include "table_text.h"

#define ROUNDS 5
#define N      (ROUNDS * SWITCH_PAIRS)

/* What a driver prints: 1.5 us to shadow, 2.25 us to nested, each pair 1 us more than the one before; counts likewise. */
static size_t said(char *text, size_t size)
{
	size_t len = 0;

	for (int n = 0; n < SWITCH_PAIRS; n++)
		len += snprintf(text + len, size - len,
		                "switch to=shadow ns=%d exits=%d shadow-events=7\n"
		                "switch to=nested ns=%d exits=5 shadow-events=%d\n",
		                1500 + n * 1000, n, 2250 + n * 1000, n * 2);
	return len;
}

static double shadow[SWITCH_PAIRS], nested[SWITCH_PAIRS];
static double *const both[] = {[SWITCH_TO_SHADOW] = shadow, [SWITCH_TO_NESTED] = nested};
static struct switch_counts counts;

static int parse(const char *text, size_t len)
{
	return switch_output_parse(text, len, both, &counts);
}

Test(bench_switch, good_output)
{
	char text[4096];
	const size_t len = said(text, sizeof(text));

	cr_assert_eq(parse(text, len), 0);
	for (int n = 0; n < SWITCH_PAIRS; n++) {
		cr_expect_float_eq(shadow[n], 1.5 + n, 1e-9);
		cr_expect_float_eq(nested[n], 2.25 + n, 1e-9);
	}
	cr_expect_eq(counts.of[SWITCH_TO_SHADOW].exits, SWITCH_PAIRS * (SWITCH_PAIRS - 1) / 2);
	cr_expect_eq(counts.of[SWITCH_TO_SHADOW].shadow_events, 7 * SWITCH_PAIRS);
	cr_expect_eq(counts.of[SWITCH_TO_NESTED].exits, 5 * SWITCH_PAIRS);
	cr_expect_eq(counts.of[SWITCH_TO_NESTED].shadow_events, SWITCH_PAIRS * (SWITCH_PAIRS - 1));
	cr_assert_eq(parse(text, len), 0);
	cr_expect_eq(counts.of[SWITCH_TO_NESTED].exits, 5 * SWITCH_PAIRS, "another round has its own");
}

/* Cut anywhere, more of it, another mode, no number, one that is too large. */
Test(bench_switch, bad_output)
{
	static const char *const first[] = {
	    "ns=9223372036854775808 exits=1 shadow-events=1",
	    "ns= exits=1 shadow-events=1",
	    "ns=1 exits=-1 shadow-events=1",
	    "ns=1 exits=1 shadow-events=",
	    "ns=1 shadow-events=1 exits=1",
	};
	char text[4096], more[4200];
	const size_t len = said(text, sizeof(text));

	for (size_t n = 0; n < len; n++)
		cr_expect_eq(parse(text, n), -EBADMSG, "%zu", n);
	snprintf(more, sizeof(more), "%sswitch to=shadow ns=1 exits=1 shadow-events=1\n", text);
	cr_expect_eq(parse(more, strlen(more)), -EBADMSG);
	snprintf(more, sizeof(more), "switch to=nested ns=1 exits=1 shadow-events=1\n%s", text);
	cr_expect_eq(parse(more, strlen(more)), -EBADMSG);
	for (size_t i = 0; i < sizeof(first) / sizeof(*first); i++) {
		snprintf(more, sizeof(more), "switch to=shadow %s\n%s", first[i], strchr(text, '\n') + 1);
		cr_expect_eq(parse(more, strlen(more)), -EBADMSG, "%s", first[i]);
	}
	for (int n = 0; n < SWITCH_PAIRS; n++)
		cr_expect(shadow[n] == 0 && nested[n] == 0, "untouched on failure");
	cr_expect_eq(counts.of[SWITCH_TO_SHADOW].exits, 0u, "untouched on failure");
}

static const struct switch_case cases[] = {{1, 512}, {4, 65536}};
static const struct host_info host = {.second_stage = HOST_STAGE_EPT};
static const struct bench_plan plan = {.host = &host, .rounds = ROUNDS};
static double us[2][SWITCH_NR_TO][N];
static struct switch_counts counted[2][ROUNDS + 1];
static struct switch_results results;

/* To shadow 1 to 100 us on one vCPU and twice that on four; to nested a tenth of it. A round more was begun, and counts. */
static void setup(void)
{
	results = (struct switch_results){.plan = &plan, .cases = cases, .nr_cases = 2};
	for (int i = 0; i < 2; i++) {
		for (int n = 0; n < N; n++) {
			us[i][SWITCH_TO_SHADOW][n] = (n * 37 % N + 1) * (i + 1);
			us[i][SWITCH_TO_NESTED][n] = us[i][SWITCH_TO_SHADOW][n] / 10;
		}
		results.counts[i] = counted[i];
		for (int to = 0; to < SWITCH_NR_TO; to++) {
			results.us[i][to] = us[i][to];
			for (int round = 0; round <= ROUNDS; round++)
				counted[i][round].of[to] = (struct counts){.exits = SWITCH_PAIRS * (i + 1),
				                                           .shadow_events = SWITCH_PAIRS * (to * 4)};
			counted[i][ROUNDS].of[to].exits += 1000;
		}
	}
}

TestSuite(bench_switch_report, .init = setup);

static char *written(int (*write)(const struct report *, FILE *))
{
	struct report *table = NULL;

	cr_assert_eq(switch_report(&results, &table), 0);
	return table_text(table, write);
}

/* Median, 99th percentile, longest, number. */
Test(bench_switch_report, figures)
{
	char *text = written(report_write_csv);

	cr_expect_str_eq(
	    strtok(text, "\n"),
	    "cpus,tables_KiB,to,second_stage,stopped_us,stopped_p99_us,stopped_max_us,exits,shadow_events,n");
	cr_expect_str_eq(strtok(NULL, "\n"), "1,4,shadow,ept,50.5,99.010000000000005,100,1,0,100");
	cr_expect_eq(strncmp(strtok(NULL, "\n"), "1,4,nested,ept,5.0", 18), 0);
	cr_expect_eq(strncmp(strtok(NULL, "\n"), "4,512,shadow,ept,101,198.02", 27), 0);
	cr_expect_eq(strncmp(strtok(NULL, "\n"), "4,512,nested,ept,10.", 20), 0);
	cr_expect_null(strtok(NULL, "\n"));
	free(text);
	text = written(report_print);
	cr_expect(strstr(text, "1                     4  shadow     ept                  50.5      99.0         100.0  "
	                       "  1.0            0.0  100\n"),
	          "%s", text);
	free(text);
}

/* A case that failed: its reason in both rows, and the other case stands. */
Test(bench_switch_report, failed)
{
	char *text;

	strcpy(results.na[0], "this gnomon cannot");
	text = written(report_print);
	cr_expect(strstr(text, "n/a: this gnomon cannot\n"), "%s", text);
	cr_expect(strstr(text, "shadow     ept                 101.0"), "%s", text);
	cr_expect_null(strstr(text, "50.5"), "%s", text);
	cr_expect(switch_any(&results));
	free(text);
	strcpy(results.na[1], "this gnomon cannot");
	cr_expect_not(switch_any(&results));
}

/* Eight bytes for each page, in whole tables. */
Test(bench_switch, tables)
{
	cr_expect_eq(switch_tables_kib(1), 4);
	cr_expect_eq(switch_tables_kib(512), 4);
	cr_expect_eq(switch_tables_kib(513), 8);
	cr_expect_eq(switch_tables_kib(65536), 512);
}
