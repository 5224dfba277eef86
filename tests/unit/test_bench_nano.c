/* SPDX-License-Identifier: MIT */
/*
 * Workload `nano`: its cases are what the guest takes, each has a nested one to be compared with, and each published
 * figure stands beside ours of the same name, where it is n/a if nobody has it.
 */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bench/compare/rule.h"
#include "bench/workload/nano.h"
#include "table_text.h"

#define ROUNDS     6
#define MAX_BLOCKS 128 /* guest/cost/main.c */

static double us[OP_MAX_CASES][2 * ROUNDS];
static struct host_info host;
static struct bench_plan plan;
static struct op_results results;

/* Every case takes 2 us, its floor 4. */
static void setup(void)
{
	host = (struct host_info){.kvm = HOST_KVM_OK, .second_stage = HOST_STAGE_SOFTWARE_NPT0};
	plan = (struct bench_plan){
	    .host = &host, .where = 1 << BENCH_NATIVE | 1 << BENCH_NESTED | 1 << BENCH_SHADOW, .rounds = ROUNDS};
	results = (struct op_results){.plan = &plan, .set = &nano_set, .tsc_mhz = 1000};
	for (size_t i = 0; i < nano_set.nr_cases; i++) {
		results.series[i] =
		    (struct op_series){.us = us[i], .floor_us = us[i] + ROUNDS, .exits = 1, .shadow_events = 7};
		for (int n = 0; n < 2 * ROUNDS; n++)
			us[i][n] = n < ROUNDS ? 2 : 4;
	}
}

TestSuite(bench_nano, .init = setup);

static char *csv(int (*make)(const void *results, struct report **ret_table))
{
	struct report *table = NULL;

	cr_assert_eq(make(&results, &table), 0);
	return table_text(table, report_write_csv);
}

static size_t case_of(const char *row, enum bench_where where)
{
	size_t i;

	cr_assert_eq(nano_find_case(&results, row, where, &i), 0, "%s", row);
	return i;
}

static void all_take(size_t i, double time)
{
	for (int n = 0; n < ROUNDS; n++)
		us[i][n] = time;
}

/* Numbers that the guest takes, for half as many operations, too. */
Test(bench_nano, cases)
{
	size_t natives = 0;

	for (size_t i = 0; i < nano_set.nr_cases; i++) {
		const struct op_case *c = &nano_set.cases[i];

		cr_expect(c->ops % 2 == 0 && c->ops % c->blocks == 0 && c->blocks <= MAX_BLOCKS, "%s", c->row);
		case_of(c->row, BENCH_NESTED);
		if (i == 0 || strcmp(nano_set.cases[i - 1].row, c->row) != 0)
			cr_expect_not_null(c->what, "%s", c->row);
		natives += c->where == BENCH_NATIVE;
	}
	cr_expect_eq(natives, 1u);
}

/* Both modes do what was published, shadow with all optimisations first. */
Test(bench_nano, published_rows_exist)
{
	for (size_t i = 0; i < nano_nr_adams_agesen; i++) {
		case_of(nano_adams_agesen[i].row, BENCH_NESTED);
		cr_expect_null(nano_set.cases[case_of(nano_adams_agesen[i].row, BENCH_SHADOW)].without[0]);
	}
	for (size_t i = 0; i < nano_nr_pvm; i++) {
		case_of(nano_pvm[i].row, BENCH_NESTED);
		cr_expect_null(nano_set.cases[case_of(nano_pvm[i].row, BENCH_SHADOW)].without[0]);
	}
}

Test(bench_nano, rows)
{
	char *text;

	all_take(case_of("divzero", BENCH_SHADOW), 10);
	strcpy(results.series[case_of("pgfault", BENCH_NESTED)].na, "the child was killed");
	text = csv(nano_report);
	cr_expect(strstr(text, "\ndivzero,nested,-,software (npt=0),2,2,2,2000,0.5,0.5,0.5,1,,,,,,quiet,6\n"), "%s",
	          text);
	cr_expect(
	    strstr(text, "\ndivzero,shadow,all,software (npt=0),10,10,10,10000,2.5,2.5,2.5,1,7,0,5,5,5,quiet,6\n"),
	    "%s", text);
	cr_expect(strstr(text, "\ncallret,native,-,software (npt=0),2,2,2,2000,,,,,,,1,1,1,quiet,6\n"), "%s", text);
	cr_expect(strstr(text, "\npgfault,nested,-,software (npt=0),,,,,,,,,,,,,,,\n"), "%s", text);
	cr_expect(strstr(text, "\npgfault,shadow,all,software (npt=0),2,2,2,2000,0.5,0.5,0.5,1,7,0,,,,quiet,6\n"),
	          "no ratio to what is not there: %s", text);
	free(text);
}

/* Theirs are there whatever ours are, in their own unit. */
Test(bench_nano, published)
{
	char *text;

	all_take(case_of("ptemod", BENCH_SHADOW), 0.5);
	text = csv(nano_adams_agesen_report);
	cr_expect(strstr(text, "\nptemod,software (npt=0),,2000,500,ptemod,1,391,12733\n"), "%s", text);
	cr_expect(strstr(text, "\ncallret,software (npt=0),2000,2000,2000,call/ret,11,51,11\n"), "%s", text);
	cr_expect(strstr(text, "\ncr8wr,software (npt=0),,2000,2000,cr8wr,,,\n"), "not invented: %s", text);
	free(text);
	plan.where = 1 << BENCH_SHADOW;
	text = csv(nano_pvm_report);
	cr_expect(strstr(text, "\nfork-32,software (npt=0),,2,\"fork, 32 processes\",513,32000,5380\n"), "%s", text);
	cr_expect_eq(text_count(text, "\n"), nano_nr_pvm + 1);
	free(text);
}

/* gnomon compare judges what this run measured, once. */
Test(bench_nano, compared)
{
	cr_expect_eq(compare_rule_of("nano-pvm", "theirs_kvm_ept", "us", false)->role, COMPARE_NOTE);
	cr_expect_eq(compare_rule_of("nano-adams-agesen", "theirs_native", "cycles", false)->role, COMPARE_NOTE);
	cr_expect_eq(compare_rule_of("nano-pvm", "ours_shadow", "us", false)->role, COMPARE_NOTE);
	cr_expect_eq(compare_rule_of("nano-pvm", "operation", NULL, false)->role, COMPARE_KEY);
	cr_expect_eq(compare_rule_of("nano", "time", "us", true)->role, COMPARE_VALUE);
}

/* In an emulated machine only exits are of use, and theirs. */
Test(bench_nano, without_times)
{
	char *text;

	host.second_stage = HOST_STAGE_NPT;
	host.emulator = HOST_EMULATOR_QEMU;
	cr_assert_not_null(bench_times_na(&host));
	text = csv(nano_report);
	cr_expect(strstr(text, "\ndivzero,nested,-,npt,,,,,,,,1,,,,,,,\n"), "%s", text);
	free(text);
	text = csv(nano_pvm_report);
	cr_expect(strstr(text, "\nfork-1,npt,,,fork,82,505,437\n"), "%s", text);
	free(text);
}

Test(bench_nano, sentences)
{
	char *text = said_text(nano_explain, &results);

	cr_expect(strstr(text, "published"), "%s", text);
	cr_expect(strstr(text, "\n  munmap "), "%s", text);
	free(text);
	for (size_t i = 0; i < nano_set.nr_cases; i++)
		strcpy(results.series[i].na, "no /dev/kvm");
	text = said_text(nano_explain, &results);
	cr_expect_str_eq(text, "");
	free(text);
}
