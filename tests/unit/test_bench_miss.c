/* SPDX-License-Identifier: MIT */
/* From samples to the table of `miss`: ratios are of pairs, the worst interval counts, reasons fill the row. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/workload/miss.h"

#define TURNS 64

static struct host_info host;
static struct bench_plan plan = {.host = &host};
static struct miss_results results = {.plan = &plan};

/* Native loads drift by a factor of 3; guests take 1.25 and 2 times what the native load of their own turn takes. */
static void fill(struct miss_request *q)
{
	static const double factor[MISS_NR_WHO] = {1, 1, 1.25, 2};

	*q = (struct miss_request){.pages = {16, 4096}, .nr_sizes = 2, .who = 0xf, .precision = 0.02};
	q->samples = calloc(1, sizeof(*q->samples));
	cr_assert(q->samples);
	q->samples->turns = TURNS;
	for (size_t i = 0; i < q->nr_sizes; i++) {
		for (int who = 0; who < MISS_NR_WHO; who++) {
			q->samples->series[i].loads[who] = 1000;
			for (int n = 0; n < TURNS; n++)
				q->samples->series[i].ns[who][n] = factor[who] * (10 + 20.0 * n / TURNS);
		}
	}
}

static void begin(void)
{
	for (int page = 0; page < MISS_NR_PAGES; page++)
		fill(&results.request[page]);
}

static void end(void)
{
	for (int page = 0; page < MISS_NR_PAGES; page++) {
		free(results.request[page].samples);
		*results.na[page] = 0;
	}
}

TestSuite(bench_miss, .init = begin, .fini = end);

static char *csv(void)
{
	struct report *table;
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	cr_assert_eq(miss_report(&results, &table), 0);
	cr_assert_eq(report_write_csv(table, f), 0);
	report_free(table);
	fclose(f);
	return text;
}

static size_t count(const char *text, const char *word)
{
	size_t n = 0;

	for (; (text = strstr(text, word)); text += strlen(word))
		n++;
	return n;
}

Test(bench_miss, ratios_are_of_pairs)
{
	char *text = csv();

	cr_expect_eq(count(text, "\n"), 1u + 2 * 2 * MISS_NR_WHO, "%s", text);
	cr_expect_eq(count(text, ",1.25,1.25,1.25,"), 4u, "%s", text);
	cr_expect_eq(count(text, ",2,2,2,"), 4u, "%s", text);
	cr_expect_eq(count(text, ",1,1,1,"), 4u, "%s", text);
	free(text);
}

Test(bench_miss, only_what_takes_part)
{
	char *text;

	results.request[MISS_4K].who = results.request[MISS_2M].who = 1 << MISS_NATIVE | 1 << MISS_SHADOW;
	text = csv();
	cr_expect_eq(count(text, "\n"), 1u + 2 * 2 * 2, "%s", text);
	cr_expect_eq(count(text, "nested"), 0u, "%s", text);
	free(text);
}

/* The widest of all counts, of whatever size and environment. */
Test(bench_miss, precision)
{
	struct miss_request *q = &results.request[MISS_4K];
	double precision;

	cr_assert_eq(miss_precision(q, TURNS, &precision), 0);
	cr_expect_lt(precision, 1e-9);
	for (int n = 0; n < TURNS; n++)
		q->samples->series[1].ns[MISS_SHADOW][n] *= n % 2 ? 1.1 : 0.9;
	cr_assert_eq(miss_precision(q, TURNS, &precision), 0);
	cr_expect_gt(precision, 0.02);
	q->who &= ~(1u << MISS_SHADOW);
	cr_assert_eq(miss_precision(q, TURNS, &precision), 0);
	cr_expect_lt(precision, 1e-9);
}

Test(bench_miss, reason_instead)
{
	char *text;

	strcpy(results.na[MISS_2M], "no huge pages");
	results.request[MISS_2M].samples->turns = 0;
	text = csv();
	cr_expect_eq(count(text, ",1.25,1.25,1.25,"), 2u, "%s", text);
	free(text);
}
