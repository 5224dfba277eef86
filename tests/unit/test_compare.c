/* SPDX-License-Identifier: MIT */
/* Which rows are one row, which way is worse, when a change is none, and what is no result at all. */
#include <criterion/criterion.h>
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/compare/compare.h"

#define TEXT 4096

/* A result with one table. */
#define RESULT(name, columns, rows)                                                                                    \
	"{\"version\": 1, \"environment\": {\"cpu\": \"made up\"}, \"tables\": [{\"name\": \"" name                    \
	"\", \"columns\": [" columns "], \"rows\": [" rows "]}]}"
#define COLUMN(name)   "{\"name\": \"" name "\"}"
#define IN(name, unit) "{\"name\": \"" name "\", \"unit\": \"" unit "\"}"
#define INTERVAL(name) COLUMN(name) ", " COLUMN(name "_ci_low") ", " COLUMN(name "_ci_high")
#define ONE(column, v) RESULT("t", column, "{\"x\": " v "}")
#define RATIO(v, lo, hi)                                                                                               \
	RESULT("t", INTERVAL("ratio"), "{\"ratio\": " v ", \"ratio_ci_low\": " lo ", \"ratio_ci_high\": " hi "}")

static struct compare_file *load(const char *text)
{
	struct compare_file *file = NULL;

	cr_assert_eq(compare_load("made-up", text, strlen(text), &file), 0, "%s", text);
	return file;
}

/* The comparison as JSON. */
static json_t *compare(const char *base, const char *other, double threshold)
{
	struct compare_file *const files[] = {load(base), load(other)};
	struct comparison *c;
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);
	json_t *root;

	cr_assert_eq(compare_files((const struct compare_file *const *)files, 2, threshold, &c), 0);
	cr_assert_eq(comparison_write_json(c, f), 0);
	fclose(f);
	root = json_loads(text, 0, NULL);
	cr_assert(root, "%s", text);
	cr_expect_eq(json_is_true(json_object_get(root, "worse")), comparison_is_worse(c));
	free(text);
	comparison_free(c);
	compare_file_free(files[0]);
	compare_file_free(files[1]);
	return root;
}

static const char *verdict(const json_t *root, size_t i)
{
	const json_t *value = json_array_get(json_object_get(root, "values"), i);
	const json_t *result = json_array_get(json_object_get(value, "results"), 1);

	return json_string_value(json_object_get(result, "verdict"));
}

/* What the only value of both is found to be. */
static void expect(const char *base, const char *other, double threshold, const char *wanted)
{
	json_t *root = compare(base, other, threshold);

	cr_expect_str_eq(verdict(root, 0), wanted, "%s\n%s", base, other);
	cr_expect_eq(json_array_size(json_object_get(root, "values")), 1u);
	json_decref(root);
}

Test(compare, less_time_is_better)
{
	expect(ONE(IN("x", "ns"), "10"), ONE(IN("x", "ns"), "11"), 5, "worse");
	expect(ONE(IN("x", "us"), "10"), ONE(IN("x", "us"), "9"), 5, "better");
	expect(ONE(IN("x", "MiB"), "10"), ONE(IN("x", "MiB"), "9"), 5, "better");
}

/* Each run has other physical pages: what a load takes is told, and its ratio is judged. */
Test(compare, loads_are_told)
{
	expect(RESULT("miss", IN("load", "ns"), "{\"load\": 10}"), RESULT("miss", IN("load", "ns"), "{\"load\": 20}"),
	       5, "not judged");
}

Test(compare, more_rate_is_better)
{
	expect(ONE(IN("x", "GiB/s"), "10"), ONE(IN("x", "GiB/s"), "11"), 5, "better");
	expect(ONE(IN("x", "1/s"), "10"), ONE(IN("x", "1/s"), "9"), 5, "worse");
	expect(RESULT("t", COLUMN("of_native"), "{\"of_native\": 1}"),
	       RESULT("t", COLUMN("of_native"), "{\"of_native\": 0.5}"), 5, "worse");
}

Test(compare, threshold)
{
	expect(ONE(IN("x", "ns"), "100"), ONE(IN("x", "ns"), "105"), 5, "same within threshold");
	expect(ONE(IN("x", "ns"), "100"), ONE(IN("x", "ns"), "106"), 5, "worse");
	expect(ONE(IN("x", "ns"), "100"), ONE(IN("x", "ns"), "100"), 0, "same within threshold");
	expect(ONE(IN("x", "ns"), "100"), ONE(IN("x", "ns"), "100.1"), 0, "worse");
	expect(ONE(IN("x", "ns"), "100"), ONE(IN("x", "ns"), "1000"), 1000, "same within threshold");
	expect(ONE(IN("x", "ns"), "-2"), ONE(IN("x", "ns"), "-1"), 5, "worse");
	expect(ONE(IN("x", "ns"), "0"), ONE(IN("x", "ns"), "1"), 1000, "worse");
	expect(ONE(IN("x", "ns"), "0"), ONE(IN("x", "ns"), "0"), 0, "same within threshold");
}

/* An interrupt of the host more or less is no change, however rare exits are. */
Test(compare, grain_of_exits)
{
	expect(RESULT("t", COLUMN("exits"), "{\"exits\": 0}"), RESULT("t", COLUMN("exits"), "{\"exits\": 0.0009}"), 5,
	       "same within threshold");
	expect(RESULT("t", COLUMN("exits"), "{\"exits\": 0}"), RESULT("t", COLUMN("exits"), "{\"exits\": 0.002}"), 5,
	       "worse");
}

Test(compare, intervals)
{
	expect(RATIO("2", "1.8", "2.2"), RATIO("3", "2.2", "3.5"), 5, "same within noise");
	expect(RATIO("3", "2.2", "3.5"), RATIO("2", "1.8", "2.2"), 5, "same within noise");
	expect(RATIO("2", "1.8", "2.2"), RATIO("3", "2.3", "3.5"), 5, "worse");
	expect(RATIO("2", "1.8", "2.2"), RATIO("1", "0.9", "1.1"), 5, "better");
	expect(RATIO("2", "1.99", "2.01"), RATIO("2.04", "2.03", "2.05"), 5, "same within threshold");
}

/* Then the threshold alone decides, and the result says so. */
Test(compare, only_one_interval)
{
	json_t *root = compare(RATIO("2", "1.8", "2.2"), RATIO("2.15", "null", "null"), 5);
	const json_t *results = json_object_get(json_array_get(json_object_get(root, "values"), 0), "results");

	cr_expect_str_eq(verdict(root, 0), "worse");
	cr_expect(json_is_true(json_object_get(json_array_get(results, 1), "by_threshold")));
	json_decref(root);
}

/* Even without a rule for its name. */
Test(compare, what_has_an_interval_is_measured)
{
	expect(RESULT("t", INTERVAL("odd"), "{\"odd\": 1, \"odd_ci_low\": 1, \"odd_ci_high\": 1}"),
	       RESULT("t", INTERVAL("odd"), "{\"odd\": 2, \"odd_ci_low\": 2, \"odd_ci_high\": 2}"), 5, "worse");
}

#define KEYED COLUMN("pages") ", " COLUMN("page") ", " COLUMN("second_stage") ", " IN("x", "ns") ", " COLUMN("n")
#define ROW(pages, page, stage, x)                                                                                     \
	"{\"pages\": " pages ", \"page\": \"" page "\", \"second_stage\": \"" stage "\", \"x\": " x ", \"n\": " x "}"

/* By size and page, in any order; the second stage and the number of rounds tell nothing apart. */
Test(compare, rows_are_matched)
{
	json_t *root = compare(
	    RESULT("t", KEYED,
	           ROW("64", "4k", "EPT", "1") "," ROW("64", "2m", "EPT", "2") "," ROW("8", "4k", "EPT", "9")),
	    RESULT("t", KEYED,
	           ROW("64", "2m", "none", "2") "," ROW("64.0", "4k", "none", "3") "," ROW("7", "4k", "none", "9")),
	    5);

	cr_expect_eq(json_array_size(json_object_get(root, "values")), 4u);
	cr_expect_str_eq(verdict(root, 0), "worse");
	cr_expect_str_eq(verdict(root, 1), "same within threshold");
	cr_expect_str_eq(verdict(root, 2), "gone");
	cr_expect_str_eq(verdict(root, 3), "new");
	json_decref(root);
}

/* A column that only one version has identifies nothing, and a value that one lacks is new. */
Test(compare, columns_come_and_go)
{
	json_t *root = compare(RESULT("t", COLUMN("page") ", " IN("x", "ns"), "{\"page\": \"4k\", \"x\": 1}"),
	                       RESULT("t", COLUMN("page") ", " COLUMN("mode") ", " IN("x", "ns") ", " IN("y", "ns"),
	                              "{\"page\": \"4k\", \"mode\": \"a\", \"x\": 1, \"y\": 1}"),
	                       5);

	cr_expect_str_eq(verdict(root, 0), "same within threshold");
	cr_expect_str_eq(verdict(root, 1), "new");
	json_decref(root);
}

/* A version that measures more than this one knows: a column without unit, rule and interval, but with fractions. */
Test(compare, fractions_identify_nothing)
{
	json_t *root = compare(RESULT("t", COLUMN("odd") ", " IN("x", "ns"), "{\"odd\": 0, \"x\": 1}"),
	                       RESULT("t", COLUMN("odd") ", " IN("x", "ns"), "{\"odd\": 0.5, \"x\": 2}"), 5);

	cr_expect_str_eq(verdict(root, 0), "worse");
	json_decref(root);
}

#define TWO(x) RESULT("t", IN("x", "ns") ", " IN("y", "ns"), "{\"x\": " x ", \"y\": 1}")

Test(compare, not_measured)
{
	static const char na[] = TWO("null"), measured[] = TWO("1");
	static const struct {
		const char *base, *other;
	} pairs[] = {{measured, na}, {na, measured}, {na, na}};

	for (size_t i = 0; i < sizeof(pairs) / sizeof(*pairs); i++) {
		json_t *root = compare(pairs[i].base, pairs[i].other, 5);

		cr_expect_str_eq(verdict(root, 0), "n/a");
		cr_expect_str_eq(verdict(root, 1), "same within threshold");
		json_decref(root);
	}
}

static char *printed(const char *base, const char *other, bool all)
{
	struct compare_file *const files[] = {load(base), load(other), load(base)};
	struct comparison *c;
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	cr_assert_eq(compare_files((const struct compare_file *const *)files, 3, 5, &c), 0);
	cr_assert_eq(comparison_print(c, all, f), 0);
	fclose(f);
	comparison_free(c);
	for (size_t i = 0; i < 3; i++)
		compare_file_free(files[i]);
	return text;
}

Test(compare, text)
{
	static const char base[] = RESULT("t", KEYED, ROW("64", "4k", "EPT", "1") "," ROW("8", "4k", "EPT", "2"));
	static const char other[] = RESULT("t", KEYED, ROW("64", "4k", "EPT", "1.5") "," ROW("8", "4k", "EPT", "2"));
	char *text = printed(base, other, false);

	cr_expect(strstr(text, "pages 64, 4k") && strstr(text, "+50.0 %") && strstr(text, "worse (no interval)"), "%s",
	          text);
	cr_expect(!strstr(text, "pages 8, 4k"), "%s", text);
	cr_expect(strstr(text, "made-up against made-up: 1 same within threshold, 1 worse; threshold 5 %"), "%s", text);
	cr_expect(strstr(text, "the threshold alone decides"), "%s", text);
	free(text);
	text = printed(base, other, true);
	cr_expect(strstr(text, "pages 8, 4k"), "%s", text);
	free(text);
}

/* A value that is no longer measured is no better than the base: who reads totals alone is told. */
Test(compare, what_is_missing)
{
	char *text = printed(TWO("1"), TWO("null"), false);

	cr_expect(strstr(text, "1 values that made-up has were not measured in made-up: nothing is said of them.\n"),
	          "%s", text);
	free(text);
	text = printed(TWO("null"), TWO("1"), false);
	cr_expect_null(strstr(text, "nothing is said"), "%s", text);
	free(text);
}

/* 1.1 to 1e308 was "from 0", as its change in percent is infinite; and a change of eighteen digits is none to read. */
Test(compare, changes_beyond_measure)
{
	char *text = printed(ONE(IN("x", "ns"), "1.1"), ONE(IN("x", "ns"), "1e308"), false);

	cr_expect(strstr(text, "+inf %") && !strstr(text, "from 0"), "%s", text);
	free(text);
	text = printed(ONE(IN("x", "ns"), "1"), ONE(IN("x", "ns"), "1e18"), false);
	cr_expect(strstr(text, "+1e+20 %"), "%s", text);
	free(text);
	text = printed(ONE(IN("x", "ns"), "0"), ONE(IN("x", "ns"), "1"), false);
	cr_expect(strstr(text, "from 0"), "%s", text);
	free(text);
}

Test(compare, environments_that_differ)
{
	static const char base[] =
	    "{\"version\": 1, \"environment\": {\"cpu\": \"A\", \"seed\": 1, \"kernel\": \"k\"}, "
	    "\"tables\": [{\"name\": \"t\", \"columns\": [" IN("x", "ns") "], \"rows\": [{\"x\": 1}]}]}";
	static const char other[] =
	    "{\"version\": 1, \"environment\": {\"cpu\": \"B\", \"seed\": 1, \"more\": 2.5}, "
	    "\"tables\": [{\"name\": \"t\", \"columns\": [" IN("x", "ns") "], \"rows\": [{\"x\": 1}]}]}";
	char *text = printed(base, other, false);

	cr_expect(strstr(text, "\ncpu          A        B        A\n"), "%s", text);
	cr_expect(strstr(text, "\nkernel       k        unknown  k\n"), "%s", text);
	cr_expect(strstr(text, "\nmore         unknown  2.5      unknown\n"), "%s", text);
	cr_expect(!strstr(text, "seed"), "%s", text);
	cr_expect(strstr(text, "Not the same: cpu, kernel. What changed may come from that.\n"), "%s", text);
	free(text);
}

Test(compare, what_is_no_result)
{
	static const char *const wrong[] = {
	    "",
	    "{",
	    "[]",
	    "7",
	    "{\"version\": 1}",
	    "{\"version\": 2, \"environment\": {}, \"tables\": []}",
	    "{\"version\": \"1\", \"environment\": {}, \"tables\": []}",
	    "{\"version\": 1, \"environment\": [], \"tables\": []}",
	    "{\"version\": 1, \"environment\": {}, \"tables\": {}}",
	    "{\"version\": 1, \"environment\": {}, \"tables\": [7]}",
	    "{\"version\": 1, \"environment\": {\"x\": \"\\u001b\"}, \"tables\": []}",
	    "{\"version\": 1, \"version\": 1, \"environment\": {}, \"tables\": []}",
	    RESULT("t", COLUMN("x") ", " COLUMN("x"), "{\"x\": 1}"),
	    RESULT("t", "{\"name\": 7}", ""),
	    RESULT("t", "{\"name\": \"x\", \"unit\": 7}", ""),
	    RESULT("t", COLUMN("x"), "7"),
	    RESULT("t", COLUMN("x"), "{}"),
	    RESULT("t", COLUMN("x"), "{\"x\": []}"),
	    RESULT("t", COLUMN("x"), "{\"x\": NaN}"),
	    RESULT("t", COLUMN("x"), "{\"x\": 1e999}"),
	    RESULT("t", COLUMN("x"), "{\"x\": \"\\u001b\"}"),
	    RESULT("t", COLUMN("x"), "{\"x\": null, \"na\": {\"x\": 7}}"),
	    RESULT("\\u001b", COLUMN("x"), ""),
	    RESULT("", COLUMN("x"), ""),
	    RATIO("-5", "0.98", "1.02"),
	    RATIO("1.03", "0.98", "1.02"),
	    RATIO("1", "1.02", "0.98"),
	};
	struct compare_file *file;

	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
		cr_expect_eq(compare_load("made-up", wrong[i], strlen(wrong[i]), &file), -EINVAL, "%s", wrong[i]);
}

/* A result cut anywhere is told from a whole one. */
Test(compare, cut_short)
{
	static const char whole[] = RATIO("2", "1.8", "2.2");
	struct compare_file *file;

	for (size_t len = 0; len < sizeof(whole) - 1; len++)
		cr_expect_eq(compare_load("made-up", whole, len, &file), -EINVAL);
}

/*
 * Other tables, no row in common, rows that are alike; us beside ns, which were the same within the threshold; and rows of
 * which not a value was measured in both, of which "nothing got worse" was said with status 0.
 */
Test(compare, what_cannot_be_compared)
{
	static const struct {
		const char *base, *other;
	} wrong[] = {
	    {RESULT("t", KEYED, ROW("1", "4k", "-", "1")), RESULT("u", KEYED, ROW("1", "4k", "-", "1"))},
	    {RESULT("t", KEYED, ROW("1", "4k", "-", "1")), RESULT("t", KEYED, ROW("2", "4k", "-", "1"))},
	    {RESULT("t", KEYED, ""), RESULT("t", KEYED, "")},
	    {RESULT("t", KEYED, ROW("1", "4k", "-", "1")),
	     RESULT("t", KEYED, ROW("1", "4k", "-", "1") "," ROW("1", "4k", "-", "2"))},
	    {ONE(IN("x", "ns"), "1"), ONE(IN("x", "us"), "1")},
	    {ONE(IN("x", "ns"), "1"), RESULT("t", COLUMN("x"), "{\"x\": 1}")},
	    {ONE(IN("x", "ns"), "1"), ONE(IN("x", "ns"), "null")},
	    {ONE(IN("x", "ns"), "null"), ONE(IN("x", "ns"), "1")},
	};

	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		struct compare_file *const files[] = {load(wrong[i].base), load(wrong[i].other)};
		struct comparison *c;

		cr_expect_eq(compare_files((const struct compare_file *const *)files, 2, 5, &c), -EINVAL, "%zu", i);
		compare_file_free(files[0]);
		compare_file_free(files[1]);
	}
}
