/* SPDX-License-Identifier: MIT */
/* The page of results: whatever texts it is given it stays a page, its numbers are numbers, and it asks for nothing. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/report/report.h"
#include "table_text.h"

static const struct report_column columns[] = {
    {"page", "page", NULL, 0}, {"environment", "run", NULL, 0},      {"pages", "pages", NULL, 0},
    {"load", "load", "ns", 1}, {"load_ci_low", "95% from", "ns", 1}, {"load_ci_high", "to", "ns", 1},
};
static const struct report_plot plot = {
    .title = "Loads", .panel = "page", .line = "environment", .x = "pages", .y = "load"};
static const struct report_layout layout = {"made-up", columns, sizeof(columns) / sizeof(*columns), &plot};
static const struct report_environment env = {
    .date = "2026-11-29", .gnomon = "0", .cpu = "a <CPU> & \"more\"", .cpus = 2, .second_stage = "npt"};

static const struct sample {
	const char *page, *environment;
	double pages, load;
} samples[] = {
    {"4k", "native", 16, 1.5},      {"4k", "<nested>", 16, 2}, {"4k", "native", 65536, 300},
    {"4k", "<nested>", 65536, NAN}, {"2m", "native", 16, NAN}, {"2m", "native", 0, 5},
};

static int add(struct report *r, const void *results, size_t i)
{
	const struct sample *s = (const struct sample *)results + i;

	report_row(r);
	report_set_text(r, "page", s->page);
	report_set_text(r, "environment", s->environment);
	report_set_number(r, "pages", s->pages);
	report_set_number(r, "load", s->load);
	if (isfinite(s->load)) {
		report_set_number(r, "load_ci_low", s->load / 2);
		report_set_number(r, "load_ci_high", s->load * 2);
	}
	report_set_rest_na(r, "it was <too> busy");
	return 0;
}

/* The page of the first `nr` samples, which the caller frees. */
static char *page_of(size_t nr, const char *words)
{
	struct report *table;
	struct report_section section = {
	    .name = "miss", .what = "what & why", .finding = "", .words = words, .nr_tables = 1};
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	cr_assert_eq(report_build(&layout, samples, nr, add, &table), 0);
	section.table = (const struct report *const *)&table;
	cr_assert_eq(report_write_html(&env, &section, 1, f), 0);
	fclose(f);
	report_free(table);
	return text;
}

Test(report_html, texts_are_no_tags)
{
	char *page = page_of(6, "a < b & c");

	cr_expect(strstr(page, "a &lt;CPU&gt; &amp; &quot;more&quot;"), "%s", page);
	cr_expect(strstr(page, "<p>a &lt; b &amp; c</p>"), "%s", page);
	cr_expect(strstr(page, "title=\"it was &lt;too&gt; busy\">n/a</td>"), "%s", page);
	cr_expect_eq(text_count(page, "<p class=\"dim\">n/a: it was &lt;too&gt; busy</p>"), 1u,
	             "a title needs a mouse");
	cr_expect_eq(text_count(page, "<nested>"), 0u);
	free(page);
}

/* ---- numbers ---- */

static const struct report_column number_columns[] = {{"name", "name", NULL, 0},
                                                      {"whole", "whole", NULL, 0},
                                                      {"tenths", "tenths", "ns", 1},
                                                      {"fine", "fine", NULL, 4},
                                                      {"refs", "refs", NULL, REPORT_RANGE}};
static const struct report_layout number_layout = {"numbers", number_columns,
                                                   sizeof(number_columns) / sizeof(*number_columns), NULL};

static int add_numbers(struct report *r, const void *results, size_t i)
{
	static const double value[] = {0, 2.5, -0.04, 123456.789, 1e15, 0.96};

	report_row(r);
	report_set_text(r, "name", (const char *[]){"a", "b", "c", "d", "e", "f"}[i]);
	report_set_number(r, "whole", value[i]);
	report_set_number(r, "tenths", value[i]);
	report_set_number(r, "fine", i == 3 ? NAN : value[i]);
	report_set_range(r, "refs", 21, i % 2 ? 22 : 21);
	return 0;
}

/* The cells of a page's table, one after the other with a blank between them; the caller frees them. */
static char *cells_of(const char *page)
{
	char *all = calloc(strlen(page) + 1, 1);

	for (const char *at = page; (at = strstr(at, "<td"));) {
		at = strchr(at, '>') + 1;
		strncat(all, at, strcspn(at, "<"));
		strcat(all, " ");
	}
	return all;
}

/* A page has the numbers that the table for people has, as it rounds them. */
Test(report_html, numbers_are_those_of_the_text)
{
	struct report *table;
	char *page = NULL, *cells, text[4096] = "", *words, *word;
	size_t len;
	FILE *f = open_memstream(&page, &len), *t = fmemopen(text, sizeof(text), "w");
	struct report_section section = {.name = "x", .what = "", .finding = "", .words = "", .nr_tables = 1};

	cr_assert_eq(report_build(&number_layout, NULL, 6, add_numbers, &table), 0);
	section.table = (const struct report *const *)&table;
	cr_assert_eq(report_write_html(&env, &section, 1, f), 0);
	cr_assert_eq(report_print(table, t), 0);
	fclose(f);
	fclose(t);
	report_free(table);
	cells = cells_of(page);
	cr_expect_str_eq(cells,
	                 "a 0 0.0 0.0000 21 b 2 2.5 2.5000 21-22 c -0 -0.0 -0.0400 21 d 123457 123456.8 n/a 21-22 "
	                 "e 1e+15 1e+15 1e+15 21 f 1 1.0 0.9600 21-22 ");
	/* Behind the line of headers; what follows the rows is a reason. */
	words = strchr(text, '\n');
	*strstr(words, "n/a: ") = 0;
	len = 0;
	for (char *rest = words; (word = strtok_r(rest, " \n", &rest)); len += strlen(word) + 1)
		cr_assert_eq(strncmp(cells + len, word, strlen(word)), 0, "%s in place of %s", word, cells + len);
	cr_expect_eq(len, strlen(cells));
	free(cells);
	free(page);
}

/* Why a miss takes so long is a matter of the host's second stage, and stands where misses are measured. */
Test(report_html, why)
{
	static const struct {
		const char *section, *second_stage, *dimensions;
	} cases[] = {{"miss", "ept", "two dimensions"},
	             {"chase", "npt", "two dimensions"},
	             {"miss", "software (npt=0)", "walks one dimension"},
	             {"miss", "unknown", "from memory.</p>"}};

	for (size_t i = 0; i <= sizeof(cases) / sizeof(*cases); i++) {
		const bool none = i == sizeof(cases) / sizeof(*cases);
		const char *const name = none ? "costs" : cases[i].section;
		const struct report_section twice[] = {{.name = name, .what = "", .finding = "", .words = ""},
		                                       {.name = name, .what = "", .finding = "", .words = ""}};
		struct report_environment on = env;
		char *page = NULL;
		size_t len;
		FILE *f = open_memstream(&page, &len);

		on.second_stage = none ? "ept" : cases[i].second_stage;
		cr_assert_eq(report_write_html(&on, twice, 2, f), 0);
		fclose(f);
		cr_expect_eq(text_count(page, "Why: "), none ? 0u : 1u, "%s", page);
		cr_expect(none || strstr(page, cases[i].dimensions), "%s", page);
		free(page);
	}
}

/* A panel without a point that has a place is not there, and no coordinate is no number. */
Test(report_html, points_have_places)
{
	char *page = page_of(6, "");

	cr_expect_eq(text_count(page, "<figure>"), 1u, "%s", page);
	cr_expect_eq(text_count(page, "<circle"), 3u, "%s", page);
	cr_expect_eq(text_count(page, "nan") + text_count(page, "inf"), 0u, "%s", page);
	cr_expect_eq(text_count(page, "<td"), 6u * sizeof(columns) / sizeof(*columns), "%s", page);
	free(page);
	page = page_of(0, "");
	cr_expect_eq(text_count(page, "<figure>"), 0u);
	cr_expect(strstr(page, "0 rows"));
	free(page);
}

/* What is below 0, as a difference of two noisy times may be, has a place on the axis; without it the axis begins at 0. */
Test(report_html, below_zero)
{
	static const struct sample below[] = {{"4k", "native", 16, -6}, {"4k", "native", 256, 30}};
	struct report *table;
	struct report_section section = {.name = "x", .what = "", .finding = "", .words = "", .nr_tables = 1};
	char *page = NULL, *circle;
	size_t len;
	double x, y;
	FILE *f = open_memstream(&page, &len);

	cr_assert_eq(report_build(&layout, below, 2, add, &table), 0);
	section.table = (const struct report *const *)&table;
	cr_assert_eq(report_write_html(&env, &section, 1, f), 0);
	fclose(f);
	report_free(table);
	cr_expect(strstr(page, ">-20</text>") && strstr(page, ">0</text>"), "%s", page);
	circle = strstr(page, "<circle");
	cr_assert_eq(sscanf(circle, "<circle cx=\"%lf\" cy=\"%lf\"", &x, &y), 2);
	cr_expect(y < 340 - 48, "it is above the labels: %g", y);
	free(page);
	page = page_of(4, "");
	cr_expect_null(strstr(page, ">-"), "%s", page);
	free(page);
}

/* No network, no script. */
Test(report_html, needs_nothing_else)
{
	static const char *const wants[] = {"http", "src=", "url(", "<script", "<link", "@import"};
	char *page = page_of(6, "");

	for (size_t i = 0; i < sizeof(wants) / sizeof(*wants); i++)
		cr_expect_eq(text_count(page, wants[i]), 0u, "%s", wants[i]);
	cr_expect(strstr(page, "</main>\n</body>\n</html>\n"));
	free(page);
}

/* What the source broke to fit a terminal is one paragraph; what stands in lines of its own stays so. */
Test(report_html, words_flow)
{
	char *page = page_of(1, "One sentence\ngoes on.\nTwo:\n  native 1\n  nested 2\nThree\nis last\n");

	cr_expect(strstr(page, "<p>One sentence goes on.</p>"), "%s", page);
	cr_expect(strstr(page, "<p>Two:</p>\n<p>  native 1</p>\n<p>  nested 2</p>\n<p>Three is last</p>"), "%s", page);
	free(page);
}

/* A line that only checks the method is in the table, and in no picture. */
Test(report_html, undrawn_lines)
{
	static const char *const undrawn[] = {"native", NULL};
	struct report_plot without = plot;
	const struct report_layout changed = {"made-up", columns, sizeof(columns) / sizeof(*columns), &without};
	struct report_section section = {.name = "x", .what = "", .finding = "", .words = "", .nr_tables = 1};
	struct report *table;
	char *text = NULL, *script = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	without.undrawn = undrawn;
	cr_assert_eq(report_build(&changed, samples, 3, add, &table), 0);
	section.table = (const struct report *const *)&table;
	cr_assert_eq(report_write_html(&env, &section, 1, f), 0);
	fclose(f);
	cr_expect(strstr(text, "<td>native</td>"), "%s", text);
	cr_expect_eq(text_count(text, "<circle"), 1u, "%s", text);
	f = open_memstream(&script, &len);
	cr_assert_eq(report_write_gnuplot(table, f), 0);
	fclose(f);
	cr_expect_null(strstr(script, "native"), "%s", script);
	cr_expect(strstr(script, "<nested>"), "%s", script);
	report_free(table);
	free(text);
	free(script);
}

/* Names with what they mean are a list, whose columns the reader's window decides. */
Test(report_html, definitions)
{
	char *page =
	    page_of(1, "These:\n  a&b     one thing\n  longer  two, and\n  of one sentence\nAfter.\n  last    three");

	cr_expect(strstr(page, "<p>These:</p>\n<dl>\n<dt>a&amp;b</dt><dd>one thing</dd>\n"
	                       "<dt>longer</dt><dd>two, and</dd>\n</dl>\n<p>  of one sentence</p>\n<p>After.</p>\n"
	                       "<dl>\n<dt>last</dt><dd>three</dd>\n</dl>\n</div>"),
	          "%s", page);
	free(page);
}

/* ---- heat maps ---- */

static const struct report_plot heat = {
    .title = "Loads", .panel = "page", .line = "environment", .x = "option", .y = "load", .heat = true};
static const struct report_column heat_columns[] = {
    {"page", "page", NULL, 0}, {"environment", "run", NULL, 0},  {"option", "option", NULL, 0},
    {"load", "load", NULL, 2}, {"load_ci_low", "from", NULL, 2}, {"load_ci_high", "to", NULL, 2},
};
static const struct report_layout heat_layout = {"made-up", heat_columns, sizeof(heat_columns) / sizeof(*heat_columns),
                                                 &heat};

static int add_heat(struct report *r, const void *results, size_t i)
{
	static const double low[] = {2, 0.25, 0.9, NAN, 90, NAN, NAN, 7};
	static const char *const option[] = {"a", "b", "c", "d", "a", "a", "a", "b"};
	static const char *const page[] = {"4k", "4k", "4k", "4k", "2m", "2m", "1g", "2m"};

	report_row(r);
	report_set_text(r, "page", page[i]);
	report_set_text(r, "environment", i == 5 ? "shadow" : "nested");
	report_set_text(r, "option", option[i]);
	report_set_number(r, "load", low[i] * 1.1);
	report_set_number(r, "load_ci_low", i == 7 ? -INFINITY : low[i]);
	report_set_number(r, "load_ci_high", i == 7 ? INFINITY : low[i] * 1.2);
	report_set_rest_na(r, "it was busy");
	return 0;
}

/*
 * A map for each panel, with its own columns alone. What may be 1 has no colour, and no colour hides the number. Where
 * nothing was measured there is no line, and no map; a number without an interval has no interval of two NaN.
 */
Test(report_html, heat_maps)
{
	struct report *table;
	char *text = NULL, *script = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);
	struct report_section section = {.name = "x", .what = "", .finding = "", .words = "", .nr_tables = 1};

	cr_assert_eq(report_build(&heat_layout, NULL, 8, add_heat, &table), 0);
	section.table = (const struct report *const *)&table;
	cr_assert_eq(report_write_html(&env, &section, 1, f), 0);
	fclose(f);
	cr_expect_eq(text_count(text, "<figure>"), 2u, "%s", text);
	cr_expect_eq(text_count(text, "background:rgb(224 112 0/"), 2u, "%s", text);
	cr_expect_eq(text_count(text, "background:rgb(0 114 178/"), 1u, "%s", text);
	cr_expect(strstr(text, "background:rgb(224 112 0/0.70)\" title=\"90 to 108\">99.00</td>"), "%s", text);
	cr_expect(strstr(text, "<td class=\"n\" title=\"no interval\">7.70</td></tr>"), "%s", text);
	cr_expect(strstr(text, "<td class=\"n\" title=\"not a finite number\">n/a</td></tr>"), "%s", text);
	cr_expect_eq(text_count(text, "<th scope=\"row\">shadow"), 0u, "%s", text);
	cr_expect_eq(text_count(text, "nan") + text_count(text, "inf"), 0u, "%s", text);
	free(text);
	f = open_memstream(&script, &len);
	cr_assert_eq(report_write_gnuplot(table, f), 0);
	fclose(f);
	cr_expect_eq(text_count(script, "with labels"), 2u, "%s", script);
	free(script);
	report_free(table);
}
