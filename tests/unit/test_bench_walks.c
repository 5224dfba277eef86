/* SPDX-License-Identifier: MIT */
/*
 * The workload `walks`: its cases, what a guest says and what the table makes of it. The guest's word and the counter's
 * must not be mixed up, and no figure may come from a line that is not whole.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/workload/walks.h"
#include "table_text.h"

#define EVERYWHERE (1 << BENCH_NATIVE | 1 << BENCH_NESTED | 1 << BENCH_SHADOW)
#define COST                                                                                                           \
	"cost row=walks-4k ops=00000000000000016384 blocks=00000000000000000001 tsc=00000000000000590208 "             \
	"floors=00000000000000000008 floor_tsc=00000000000001254104\n"

static const struct op_request request = {.row = "walks-4k", .most = 16384, .ops = 16384, .blocks = 1};

/* A guest's output with these numbers. */
static char *said(unsigned long long pages, unsigned long long low, unsigned long long high, unsigned long long sum_low,
                  unsigned long long sum_high)
{
	static char text[512];

	snprintf(text, sizeof(text),
	         "walks pages=%020llu low=%020llu high=%020llu sum_low=%020llu sum_high=%020llu\n" COST, pages, low,
	         high, sum_low, sum_high);
	return text;
}

static int parse(const char *text, struct walks_model *ret)
{
	return walks_output_parse(text, strlen(text), &request, ret);
}

Test(bench_walks, good_line)
{
	struct walks_model m;

	cr_assert_eq(parse(said(4096, 21, 22, 4096 * 21 + 100, 4096 * 21 + 200), &m), 0);
	cr_expect_eq(m.low, 21);
	cr_expect_eq(m.high, 22);
	cr_expect_float_eq(m.mean_low, 21 + 100 / 4096.0, 1e-9);
	cr_expect_float_eq(m.mean_high, 21 + 200 / 4096.0, 1e-9);
	cr_assert_eq(parse(said(0, 0, 0, 0, 0), &m), 0);
	cr_expect_eq(m.low, 0);
}

/* Numbers that no tables make, up to those that wrap around. */
Test(bench_walks, impossible_numbers)
{
	static const unsigned long long bad[][5] = {
	    {0, 1, 1, 0, 0},          {0, 0, 0, 1, 1},
	    {1, 0, 4, 4, 4},          {1, 5, 4, 5, 5},
	    {1, 4, 100, 4, 100},      {2, 4, 4, 7, 8},
	    {2, 4, 4, 8, 9},          {2, 4, 5, 10, 9},
	    {1ull << 62, 4, 4, 0, 0}, {18446744073709551615ull, 4, 4, 4, 4},
	};
	struct walks_model m = {.low = 77};

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		cr_expect_eq(parse(said(bad[i][0], bad[i][1], bad[i][2], bad[i][3], bad[i][4]), &m), -ERANGE, "%zu", i);
	cr_expect_eq(m.low, 77, "untouched on failure");
}

/* Cut anywhere, another row, text behind, another order, fewer digits. */
Test(bench_walks, bad_lines)
{
	const char *good = said(1, 4, 4, 4, 4);
	struct walks_model m;
	char text[600];

	for (size_t n = 0; n < strlen(good); n++)
		cr_expect_lt(walks_output_parse(good, n, &request, &m), 0, "%zu", n);
	snprintf(text, sizeof(text), "%sx", good);
	cr_expect_eq(parse(text, &m), -EBADMSG);
	snprintf(text, sizeof(text), "%s", good);
	strstr(text, "row=walks-4k")[11] = 'm';
	cr_expect_eq(parse(text, &m), -EINVAL);
	cr_expect_eq(parse("walks pages=1 low=4 high=4 sum_low=4 sum_high=4\n" COST, &m), -EBADMSG);
	cr_expect_eq(parse(COST, &m), -EBADMSG);
}

/* Each case once; a hugetlb pool has no holes; less when it is to be quick. */
Test(bench_walks, cases)
{
	struct walks_case all[WALKS_MAX_CASES];
	const size_t n = walks_cases(EVERYWHERE, false, all);

	cr_assert_eq(n, 4u + 2 * (2 * 3 + 2 * 3 + 2 + 2));
	for (size_t i = 0; i < n; i++) {
		cr_expect(all[i].state == WALKS_PLAIN || all[i].backing <= BACKING_THP);
		for (size_t j = 0; j < i; j++)
			cr_expect(memcmp(&all[i], &all[j], sizeof(*all)) != 0, "%zu and %zu", i, j);
	}
	cr_expect_eq(walks_cases(1 << BENCH_NESTED, true, all), 4u);
	cr_expect_eq(all[3].page, WALKS_2M);
	cr_expect_eq(all[3].backing, BACKING_THP);
}

static struct host_info host = {.second_stage = HOST_STAGE_EPT};
static const struct bench_plan plan = {.host = &host};
static struct walks_results results;

static char *written(int (*write)(const struct report *, FILE *))
{
	struct report *table = NULL;

	cr_assert_eq(walks_report(&results, &table), 0);
	return table_text(table, write);
}

static void one_case(void)
{
	results = (struct walks_results){.plan = &plan, .loads = 1000, .nr_cases = 1};
	results.cases[0] = (struct walks_case){BENCH_NESTED, WALKS_4K, BACKING_THP, WALKS_HOLES};
	results.result[0] =
	    (struct walks_result){.model = {.low = 21, .high = 22, .mean_low = 21.5, .mean_high = 21.5}, .exits = 3};
	results.result[0].reads[21] = 998;
	results.result[0].reads[24] = 2;
}

TestSuite(bench_walks_report, .init = one_case);

/* The mean, the most common, all by their share; the model's beside them. */
Test(bench_walks_report, figures)
{
	char *text = written(report_print);

	cr_expect(strstr(text,
	                 "nested  4k    thp      holes  ept           21-22  21.50     21-24  21.01           21  "
	                 "21: 99.8 %, 24: 0.2 %   1000   1000      3"),
	          "%s", text);
	free(text);
	text = written(report_write_csv);
	cr_expect(strstr(text, "refs_low,refs_high,refs_mean,measured_low,measured_high,measured_mean"), "%s", text);
	cr_expect(strstr(text, ",21,22,21.5,21,24,21.006"), "%s", text);
	free(text);
}

/* The last value of the counter is "or more"; a long list ends in time. */
Test(bench_walks_report, many_values)
{
	char *text;

	for (int i = 1; i <= WALK_MAX_READS; i++)
		results.result[0].reads[i] = 1000 + i;
	text = written(report_print);
	cr_expect(strstr(text, "47 or more: 2.2 %, 46: 2.2 %"), "%s", text);
	cr_expect(strstr(text, ", ... "), "%s", text);
	free(text);
}

/* Where the host or the guest does not say, the model has no mean, or nothing; what was counted stands. */
Test(bench_walks_report, model_not_known)
{
	char *text;

	results.result[0].model.mean_high = 21.6;
	text = written(report_print);
	cr_expect(strstr(text, "21-22   n/a     21-24  21.01"), "%s", text);
	cr_expect(strstr(text, "n/a: the host does not say"), "%s", text);
	free(text);
	results.result[0].model = (struct walks_model){0};
	text = written(report_print);
	cr_expect(strstr(text, " n/a   n/a     21-24  21.01"), "%s", text);
	free(text);
}

/* A case that could not be counted: its reason, and no figure. */
Test(bench_walks_report, not_counted)
{
	char *text;

	strcpy(results.result[0].na, "the counter did not see it");
	text = written(report_print);
	cr_expect(strstr(text, "n/a: the counter did not see it\n"), "%s", text);
	cr_expect_null(strstr(text, "21"), "%s", text);
	cr_expect_not(walks_any(&results));
	free(text);
}

static char *explained(void)
{
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	cr_assert(f);
	walks_explain(&results, f);
	fclose(f);
	return text;
}

/* An emulator that counts nothing: the model stands alone, and is a result. */
Test(bench_walks_report, model_alone)
{
	char *text = explained();

	cr_expect(strstr(text, "measured:"), "%s", text);
	free(text);
	memset(results.result[0].reads, 0, sizeof(results.result[0].reads));
	results.no_counter = "QEMU's page walker does not report";
	text = written(report_print);
	cr_expect(strstr(text, "21-22  21.50       n/a   n/a"), "%s", text);
	cr_expect(strstr(text, "n/a: QEMU's page walker does not report\n"), "%s", text);
	free(text);
	text = written(report_write_csv);
	cr_expect(strstr(text, ",21,22,21.5,,,,,,,1000,\n"), "%s", text);
	free(text);
	cr_expect(walks_any(&results));
	text = explained();
	cr_expect(strstr(text, "refs:") && !strstr(text, "measured:"), "%s", text);
	free(text);
}

/* Each machine's reason is its own: only where there is no emulator does the model's row go, too. */
Test(bench_walks, reasons_of_a_machine)
{
	static struct host_info machine;
	static const struct bench_plan here = {.host = &machine, .where = 1 << BENCH_NATIVE};
	static const enum host_emulator emulator[] = {HOST_EMULATOR_NONE, HOST_EMULATOR_QEMU};

	for (int i = 0; i < 2; i++) {
		memset(&results, 0, sizeof(results));
		machine.emulator = emulator[i];
		cr_assert_eq(walks_workload.begin(&results, &here), 0);
		cr_assert_eq(results.nr_cases, 4u);
		cr_expect(results.no_counter);
		cr_expect_eq(walks_workload.is_due(&results, 0), machine.emulator == HOST_EMULATOR_QEMU);
		cr_expect_eq(strstr(results.no_counter, "tools/ept-host") != NULL,
		             machine.emulator == HOST_EMULATOR_NONE, "%s", results.no_counter);
	}
}
