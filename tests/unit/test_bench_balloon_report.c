/* SPDX-License-Identifier: MIT */
/*
 * The table of `gnomon bench --only balloon`, for machines and for people: figures of the right rounds in the right
 * unit, one row for each case that takes part, and a reason wherever there is no figure.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "balloon_results.h"

#define MIB_1 0x100000

/* One of each kind of row. */
static const struct op_case cases[] = {
    {.where = BENCH_NATIVE, .row = "move", .bytes = MIB_1},
    {.where = BENCH_NESTED, .row = "move", .bytes = MIB_1, .native_bar = 0.8},
    {.where = BENCH_NATIVE, .row = "move", .bytes = MIB_1, .thp = true},
    {.where = BENCH_SHADOW, .row = "move", .bytes = MIB_1, .thp = true},
    {.where = BENCH_NESTED, .row = "alone", .bytes = 4096, .exits_bar = 1.0 / 256},
    {.where = BENCH_SHADOW, .row = "split"},
};
enum { NATIVE, NESTED, NATIVE_THP, SHADOW_THP, ALONE, SPLIT, NR_CASES };

static void setup(void)
{
	measured(cases, NR_CASES);
}

TestSuite(bench_balloon_report, .init = setup);

/* The JSON report with this table in it. */
static json_t *json_report(void)
{
	static const struct report_environment env = {.gnomon = "0", .second_stage = STAGE};
	struct report *table = NULL;
	json_t *root;
	char *text;
	size_t len;
	FILE *to = open_memstream(&text, &len);

	cr_assert_eq(balloon_report(&results, &table), 0);
	cr_assert_eq(report_write_json(&env, (const struct report *const[]){table}, 1, to), 0);
	fclose(to);
	report_free(table);
	root = json_loads(text, 0, NULL);
	cr_assert(root, "no JSON");
	free(text);
	return root;
}

static json_t *table_of(json_t *root)
{
	json_t *tables = json_object_get(root, "tables");

	cr_assert_eq(json_array_size(tables), 1u);
	return json_array_get(tables, 0);
}

/* The rows, the caller's to release. */
static json_t *rows(void)
{
	json_t *root = json_report(), *list = json_incref(json_object_get(table_of(root), "rows"));

	json_decref(root);
	return list;
}

static void expect_number(json_t *list, size_t row, const char *name, double want)
{
	json_t *cell = json_object_get(json_array_get(list, row), name);

	cr_assert(json_is_number(cell), "row %zu has no %s", row, name);
	cr_expect_float_eq(json_number_value(cell), want, 1e-9, "row %zu, %s: %.9g, not %.9g", row, name,
	                   json_number_value(cell), want);
}

static void expect_text(json_t *list, size_t row, const char *name, const char *want)
{
	json_t *cell = json_object_get(json_array_get(list, row), name);

	cr_assert(json_is_string(cell), "row %zu has no %s", row, name);
	cr_expect_str_eq(json_string_value(cell), want);
}

/* No figure, and exactly this reason. */
static void expect_na(json_t *list, size_t row, const char *name, const char *why)
{
	json_t *object = json_array_get(list, row);
	const char *reason = json_string_value(json_object_get(json_object_get(object, "na"), name));

	cr_assert(json_is_null(json_object_get(object, name)), "row %zu has a %s", row, name);
	cr_assert(reason, "row %zu: no reason for no %s", row, name);
	cr_expect_str_eq(reason, why);
}

/* Time, its spread, GiB/s, floors and exits, each from its own numbers. */
Test(bench_balloon_report, figures)
{
	json_t *list;

	times_of(NESTED, 8, 4, 2);
	memcpy(results.series[NESTED].floor_us, (double[ROUNDS]){2, 2, 2, 2, 2, 2}, ROUNDS * sizeof(double));
	results.series[NESTED].exits = 0.125;
	results.series[SPLIT].shadow_events = 3;
	list = rows();
	cr_assert_eq(json_array_size(list), (size_t)NR_CASES);
	expect_number(list, SPLIT, "shadow_events", 3);
	expect_number(list, NESTED, "time", 4);
	expect_number(list, NESTED, "time_iqr", 4.5);          /* 2.5 to 7 */
	expect_number(list, NESTED, "rate", 1e6 / 4 / 1024);   /* MiB in 4 us */
	expect_number(list, ALONE, "rate", 1e6 / 2 / 0x40000); /* 4 KiB in 2 us */
	expect_number(list, NESTED, "floors", 2);
	expect_number(list, NESTED, "exits", 0.125);
	expect_number(list, NESTED, "n", ROUNDS);
	json_decref(list);
}

/* Of the pairs of rounds, as drift hits both, and with native on the same backing: not of the medians. */
Test(bench_balloon_report, part_of_the_native_rate)
{
	json_t *list;

	times_of(NATIVE, 1, 2, 9);
	times_of(NESTED, 2, 8, 9);
	times_of(NATIVE_THP, 3, 3, 3);
	times_of(SHADOW_THP, 2, 2, 2);
	list = rows();
	expect_number(list, NESTED, "of_native", 0.5);
	expect_number(list, NESTED, "of_native_ci_low", 0.25);
	expect_number(list, NESTED, "of_native_ci_high", 1);
	expect_number(list, SHADOW_THP, "of_native", 1.5);
	json_decref(list);
}

/* Words of a row: what was done, where, on which pages, on what host, and the bar. */
Test(bench_balloon_report, words)
{
	static const char *const want[NR_CASES][4] = {
	    {"move", "native", "4k", "-"},  {"move", "nested", "4k", "0.80 of native"},  {"move", "native", "thp", "-"},
	    {"move", "shadow", "thp", "-"}, {"alone", "nested", "4k", "1 exit for 256"}, {"split", "shadow", "4k", "-"},
	};
	json_t *list = rows();

	for (size_t i = 0; i < NR_CASES; i++) {
		expect_text(list, i, "operation", want[i][0]);
		expect_text(list, i, "environment", want[i][1]);
		expect_text(list, i, "backing", want[i][2]);
		expect_text(list, i, "bar", want[i][3]);
		expect_text(list, i, "second_stage", STAGE);
	}
	json_decref(list);
}

/* Figures that a kind of row cannot have. */
Test(bench_balloon_report, figures_that_there_cannot_be)
{
	static const char *const of_native[] = {"of_native", "of_native_ci_low", "of_native_ci_high"};
	json_t *list = rows();

	for (size_t i = 0; i < 3; i++) {
		expect_na(list, NATIVE, of_native[i], "it is the native rate itself");
		expect_na(list, ALONE, of_native[i], "a process of the host does nothing of this kind");
	}
	expect_na(list, NATIVE, "exits", "a process of the host exits to nobody");
	expect_na(list, NATIVE, "floors", "a process of the host exits to nobody");
	expect_na(list, SPLIT, "rate", "it is no move of memory alone");
	expect_na(list, NESTED, "shadow_events", "only shadow mode has a shadow of ours");
	cr_expect_eq(json_object_size(json_object_get(json_array_get(list, NESTED), "na")), 1u,
	             "it has all other figures");
	json_decref(list);
}

/* A row that failed has its reason for each figure, and takes no other row's figures with it but the comparison. */
Test(bench_balloon_report, rows_that_failed)
{
	static const char *const figures[] = {
	    "time", "time_iqr", "rate", "of_native", "of_native_ci_low", "of_native_ci_high", "floors", "exits", "n"};
	json_t *list;

	strcpy(results.series[NATIVE].na, "it was killed by signal 9");
	strcpy(results.series[ALONE].na, "its clock stood still");
	list = rows();
	for (size_t i = 0; i < sizeof(figures) / sizeof(*figures); i++) {
		expect_na(list, NATIVE, figures[i], "it was killed by signal 9");
		expect_na(list, ALONE, figures[i], "its clock stood still");
	}
	expect_text(list, ALONE, "bar", "1 exit for 256");
	expect_na(list, NESTED, "of_native", "the native row was not measured");
	expect_number(list, NESTED, "time", 2);
	expect_number(list, SHADOW_THP, "of_native", 1);
	json_decref(list);
}

/* Without native runs there are no native rows, and who would be compared with them says so. */
Test(bench_balloon_report, rows_that_were_not_asked_for)
{
	json_t *list;

	plan.where = 1 << BENCH_NESTED;
	list = rows();
	cr_assert_eq(json_array_size(list), 2u);
	expect_text(list, 0, "operation", "move");
	expect_text(list, 0, "environment", "nested");
	expect_na(list, 0, "of_native", "the native row was not measured");
	expect_text(list, 1, "operation", "alone");
	json_decref(list);
}

/* Times that are none give no table, rather than one with a hole. */
Test(bench_balloon_report, no_table_of_impossible_times)
{
	struct report *table = NULL;

	results.series[NESTED].floor_us[1] = 0;
	cr_expect_eq(balloon_report(&results, &table), -EINVAL);
	cr_expect_null(table, "untouched on failure");
}

/* Every case of the workload itself makes a row, in its order. */
Test(bench_balloon_report, every_case_has_its_row)
{
	json_t *list;

	measured(balloon_set.cases, balloon_set.nr_cases);
	list = rows();
	cr_assert_eq(json_array_size(list), balloon_set.nr_cases);
	for (size_t i = 0; i < balloon_set.nr_cases; i++) {
		expect_text(list, i, "operation", balloon_set.cases[i].row);
		expect_text(list, i, "backing", balloon_set.cases[i].thp ? "thp" : "4k");
	}
	json_decref(list);
}

/* Names and units are what others read the report by. */
Test(bench_balloon_report, columns)
{
	static const char *const want[][2] = {{"operation", NULL},
	                                      {"environment", NULL},
	                                      {"backing", NULL},
	                                      {"second_stage", NULL},
	                                      {"time", "us"},
	                                      {"time_iqr", "us"},
	                                      {"rate", "GiB/s"},
	                                      {"of_native", NULL},
	                                      {"of_native_ci_low", NULL},
	                                      {"of_native_ci_high", NULL},
	                                      {"floors", NULL},
	                                      {"exits", NULL},
	                                      {"shadow_events", NULL},
	                                      {"bar", NULL},
	                                      {"noise", NULL},
	                                      {"n", NULL}};
	json_t *root = json_report(), *list = json_object_get(table_of(root), "columns");

	cr_expect_str_eq(json_string_value(json_object_get(table_of(root), "name")), "balloon");
	cr_expect_eq(json_integer_value(json_object_get(root, "version")), 1);
	cr_assert_eq(json_array_size(list), sizeof(want) / sizeof(*want));
	for (size_t i = 0; i < json_array_size(list); i++) {
		json_t *column = json_array_get(list, i);
		const char *unit = json_string_value(json_object_get(column, "unit"));

		cr_expect_str_eq(json_string_value(json_object_get(column, "name")), want[i][0]);
		cr_assert_eq(!unit, !want[i][1], "%s", want[i][0]);
		if (unit)
			cr_expect_str_eq(unit, want[i][1]);
	}
	json_decref(root);
}

/* In an emulated machine what is counted stands, and nothing is timed. */
Test(bench_balloon_report, emulated)
{
	static const char why[] = "emulated by Bochs: its times say nothing about a CPU";
	static const struct host_info bochs = {.kvm = HOST_KVM_OK, .emulator = HOST_EMULATOR_BOCHS};
	json_t *list;

	plan.host = &bochs;
	strcpy(results.series[NATIVE].na, why);
	results.series[NESTED].exits = 0.125;
	list = rows();
	expect_number(list, NESTED, "exits", 0.125);
	expect_na(list, NESTED, "time", why);
	expect_na(list, NESTED, "of_native", why);
	expect_na(list, NESTED, "n", why);
	expect_na(list, NATIVE, "time", why);
	json_decref(list);
}

/* For people: the unit stands with the title, small times and few exits are not rounded to nothing. */
Test(bench_balloon_report, printed)
{
	struct report *table = NULL;
	char *text = NULL;
	size_t len;
	FILE *to = open_memstream(&text, &len);

	results.series[ALONE].exits = 1.0 / 256;
	times_of(ALONE, 0.125, 0.125, 0.125);
	cr_assert_eq(balloon_report(&results, &table), 0);
	cr_assert_eq(report_print(table, to), 0);
	fclose(to);
	cr_expect(strstr(text, "time (us)  IQR (us)  rate (GiB/s)  of native rate  95% from"), "%s", text);
	cr_expect(strstr(text, "0.125     0.000         30.52"), "%s", text);
	cr_expect(strstr(text, "0.00391               n/a  1 exit for 256"), "%s", text);
	cr_expect(strstr(text, "n/a: a process of the host exits to nobody\n"), "%s", text);
	report_free(table);
	free(text);
}
