/* SPDX-License-Identifier: MIT */
/*
 * The chase's table: references as the guest told them, as one word for people and as two numbers for programs, and
 * nothing but them where times mean nothing.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/workload/chase.h"
#include "table_text.h"

#define BOCHS "emulated by Bochs: its times say nothing about a CPU"

static const uint32_t pages[] = {4096};
static double ns[2] = {5, 2};
static struct host_info host;
static struct bench_plan plan;
static struct chase_results results;

static void setup(void)
{
	host = (struct host_info){.kvm = HOST_KVM_OK, .second_stage = HOST_STAGE_EPT};
	plan = (struct bench_plan){.host = &host, .where = 1 << BENCH_NATIVE | 1 << BENCH_NESTED, .rounds = 1};
	results = (struct chase_results){.plan = &plan, .pages = pages, .nr_sizes = 1, .rounds = {1}};
	for (int w = 0; w < BENCH_NR_WHERE; w++)
		for (int page = 0; page < CHASE_NR_PAGES; page++)
			results.series[w][page][0] = (struct chase_series){.sparse = ns, .dense = ns + 1};
	results.series[BENCH_NESTED][CHASE_4K][0].refs = (struct chase_refs){21, 22};
	results.series[BENCH_NESTED][CHASE_2M][0].refs = (struct chase_refs){15, 15};
}

TestSuite(bench_chase_report, .init = setup);

static char *written(int (*write)(const struct report *, FILE *))
{
	struct report *table = NULL;

	cr_assert_eq(chase_report(&results, &table), 0);
	return table_text(table, write);
}

/* A range is one word to people. */
Test(bench_chase_report, printed)
{
	char *text = written(report_print);

	cr_expect(strstr(text, "refs  a miss walks"), "%s", text);
	cr_expect(strstr(text, "ept           21-22  2-D: guest's tables x EPT"), "%s", text);
	cr_expect(strstr(text, "ept              15  2-D: guest's tables x EPT"), "%s", text);
	cr_expect(strstr(text, "ept               3  1-D: process's tables"), "%s", text);
	free(text);
}

/* And two numbers to programs. */
Test(bench_chase_report, csv)
{
	char *text = written(report_write_csv);

	cr_expect(strstr(text, "second_stage,walk_refs_low,walk_refs_high,walk,"), "%s", text);
	cr_expect(strstr(text, "nested,ept,21,22,2-D"), "%s", text);
	cr_expect(strstr(text, "native,ept,4,4,1-D"), "%s", text);
	free(text);
}

/* A guest that was told nothing: the reason stands, and the times do. */
Test(bench_chase_report, not_known)
{
	char *text;

	results.series[BENCH_NESTED][CHASE_4K][0].refs = (struct chase_refs){0};
	text = written(report_print);
	cr_expect(strstr(text, "n/a: the guest was not told"), "%s", text);
	free(text);
}

/* No times in an emulator, but references. */
Test(bench_chase_report, emulated)
{
	struct report *table = NULL;
	char *text;

	host.emulator = HOST_EMULATOR_BOCHS;
	strcpy(results.na[BENCH_NATIVE][CHASE_4K], BOCHS);
	strcpy(results.na[BENCH_NATIVE][CHASE_2M], BOCHS);
	text = written(report_print);
	cr_expect(strstr(text, "21-22  2-D: guest's tables x EPT          n/a"), "%s", text);
	cr_expect(strstr(text, "    4  1-D: process's tables              n/a"), "%s", text);
	cr_expect(strstr(text, "n/a: " BOCHS "\n"), "%s", text);
	free(text);
	cr_assert_eq(chase_ratio_report(&results, &table), 0);
	report_free(table);
}

static char *explained(void)
{
	char *text = NULL;
	size_t len;
	FILE *to = open_memstream(&text, &len);

	cr_assert(to);
	chase_find(&results, to);
	chase_explain(&results, to);
	fclose(to);
	return text;
}

/* The largest number of pages has no ratio, since its one round was disturbed: the sentence is of the next. */
Test(bench_chase_report, disturbed)
{
	static const uint32_t two[] = {1024, 4096};
	static double disturbed[2] = {2, 5};
	char *text;

	results.pages = two;
	results.nr_sizes = 2;
	results.rounds[1] = 1;
	for (int w = 0; w < BENCH_NR_WHERE; w++)
		for (int page = 0; page < CHASE_NR_PAGES; page++)
			results.series[w][page][1] = (struct chase_series){.sparse = disturbed, .dense = disturbed + 1};
	text = explained();
	cr_expect(strstr(text, "At 1024 pages of 4k a miss under nested paging costs 1.00 times"), "%s", text);
	cr_expect_not(strstr(text, "At 4096"), "%s", text);
	free(text);
}

/* None has one: said so, not left out. */
Test(bench_chase_report, all_disturbed)
{
	static double disturbed[2] = {2, 5};
	char *text;

	results.series[BENCH_NATIVE][CHASE_4K][0] = (struct chase_series){.sparse = disturbed, .dense = disturbed + 1};
	text = explained();
	cr_expect(strstr(text, "At no number of pages of 4k is there a ratio of a miss under nested"), "%s", text);
	cr_expect(strstr(text, "At 4096 pages of 2m a miss under nested paging costs 1.00 times"), "%s", text);
	free(text);
}
