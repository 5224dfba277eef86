/* SPDX-License-Identifier: MIT */
/*
 * The workload `enclave`: what a guest says of walks, and what the tables make of made-up results. A count must not land
 * in the row of another reading, nor a rate be compared with that of another size.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/workload/enclave.h"
#include "table_text.h"

#define ROUNDS 6
#define TAIL                                                                                                           \
	"walks pages=00000000000000000001 low=00000000000000000004 high=00000000000000000004 "                         \
	"sum_low=00000000000000000004 sum_high=00000000000000000004\n"                                                 \
	"cost row=enclave-walks ops=00000000000000000016 blocks=00000000000000000001 tsc=00000000000000590208 "        \
	"floors=00000000000000000008 floor_tsc=00000000000001254104\n"

static const struct op_request request = {.row = "enclave-walks", .most = 16, .ops = 16, .blocks = 1};
static char text[12000];

/* Line n of a good output says 10 * n + 10 references a walk, of 2 walks. */
static size_t said(int lines)
{
	static const unsigned caches[] = {0, 16, 64, 256};
	size_t len = 0;

	for (unsigned n = 0; n < (unsigned)lines; n++)
		len +=
		    snprintf(text + len, sizeof(text) - len,
		             "enclave second=%020u every=%020u cache=%020u pages=%020u low=%020u high=%020u sum=%020u "
		             "walked=%020u checks=%020u hits=%020u\n",
		             n < 8 ? 0 : 4, n < 16 ? 0 : 1, caches[n % 4], 2, 10 * n + 10, 10 * n + 10, 20 * n + 20, 8,
		             10, n % 4 ? 10 : 0);
	return len + snprintf(text + len, sizeof(text) - len, TAIL);
}

Test(bench_enclave, good_output)
{
	struct enclave_counts counts;
	struct walks_model outside;

	cr_assert_eq(enclave_output_parse(text, said(24), &request, &counts, &outside), 0);
	for (unsigned n = 0; n < 24; n++)
		cr_expect_eq(counts.of[n / 8][n / 4 % 2][n % 4].low, 10 * n + 10);
	cr_expect_eq(counts.of[0][0][1].hits, 10);
	cr_expect_eq(outside.high, 4);
}

/* Cut anywhere, a line less or more, another reading, impossible numbers. */
Test(bench_enclave, bad_output)
{
	struct enclave_counts counts = {.of[0][0][0].low = 77};
	struct walks_model outside;
	size_t len = said(24);

	for (size_t n = 0; n < len; n++)
		cr_assert_lt(enclave_output_parse(text, n, &request, &counts, &outside), 0, "%zu", n);
	cr_expect_lt(enclave_output_parse(text, said(23), &request, &counts, &outside), 0);
	cr_expect_lt(enclave_output_parse(text, said(25), &request, &counts, &outside), 0);
	len = said(24);
	strstr(text, "every=")[25] = '1';
	cr_expect_eq(enclave_output_parse(text, len, &request, &counts, &outside), -EINVAL);
	len = said(24);
	strstr(text, "sum=")[23] = '1';
	cr_expect_eq(enclave_output_parse(text, len, &request, &counts, &outside), -ERANGE);
	len = said(24);
	strstr(text, "hits=")[5] = '9';
	cr_expect_lt(enclave_output_parse(text, len, &request, &counts, &outside), 0);
	cr_expect_eq(counts.of[0][0][0].low, 77, "untouched on failure");
}

/* Each row of a size has the same BLAKE2b, no other row has one. */
Test(bench_enclave, references)
{
	const struct op_results res = {.set = &enclave_set};

	for (size_t i = 0; i < enclave_set.nr_cases; i++) {
		const struct op_case *c = &enclave_set.cases[i];
		size_t n;

		cr_expect_eq(enclave_blake2b(&res, i, &n), c->native_bar > 0, "%s", c->row);
		if (c->native_bar > 0) {
			cr_expect_eq(enclave_set.cases[n].where, BENCH_NATIVE);
			cr_expect_str_eq(strrchr(enclave_set.cases[n].row, '-'), strrchr(c->row, '-'));
			cr_expect_eq(enclave_set.cases[n].native_bar, 0);
		}
	}
	for (size_t i = 0; i < enclave_quick_set.nr_cases; i++)
		cr_expect_null(strstr(enclave_set.cases[i].row, "6m"), "%s", enclave_set.cases[i].row);
	cr_expect(strstr(enclave_set.cases[enclave_quick_set.nr_cases].row, "16m"));
}

/* A tree with an entry for each frame: 8 bytes for each 4096, and what lies above. */
Test(bench_enclave, overhead)
{
	double part;

	cr_assert_eq(enclave_overhead(1, &part), 0);
	cr_expect_float_eq(part, 8 / 4096.0, 1e-9);
	cr_assert_eq(enclave_overhead(2, &part), 0);
	cr_expect_float_eq(part, 8 / 4096.0 + 4096.0 / (256 << 20), 1e-9);
	cr_assert_eq(enclave_overhead(4, &part), 0);
	cr_expect_float_eq(part, 8 / 4096.0 + 3 * 4096.0 / (256 << 20), 1e-9);
}

static struct host_info host = {.second_stage = HOST_STAGE_EPT};
static const struct bench_plan plan = {
    .host = &host, .rounds = ROUNDS, .where = 1 << BENCH_NATIVE | 1 << BENCH_NESTED | 1 << BENCH_SHADOW};
static double us[OP_MAX_CASES][2 * ROUNDS];
static struct enclave_results results;

/* A native page takes 5 us, anything else 10, a floor 5. */
static void setup(void)
{
	results = (struct enclave_results){.op = {.plan = &plan, .set = &enclave_set}, .nr_runs = 1};
	for (size_t i = 0; i < enclave_set.nr_cases; i++) {
		struct op_series *s = &results.op.series[i];

		*s = (struct op_series){.us = us[i], .floor_us = us[i] + ROUNDS, .exits = 1, .shadow_events = 7};
		for (int n = 0; n < ROUNDS; n++) {
			s->us[n] = enclave_set.cases[i].where == BENCH_NATIVE ? 5 : 10;
			s->floor_us[n] = 5;
		}
	}
	results.run[0] = (struct enclave_run){.where = BENCH_NESTED, .levels = 4};
	cr_assert_eq(enclave_output_parse(text, said(24), &request, &results.run[0].counts, &results.run[0].outside),
	             0);
}

TestSuite(bench_enclave_report, .init = setup);

static char *written(int (*report)(const void *, struct report **), int (*write)(const struct report *, FILE *))
{
	struct report *table = NULL;

	cr_assert_eq(report(&results, &table), 0);
	return table_text(table, write);
}

static void expect_line(const char *all, const char *line)
{
	cr_expect(strstr(all, line), "no '%s' in\n%s", line, all);
}

Test(bench_enclave_report, costs)
{
	char *all = written(enclave_costs_report, report_write_csv);

	expect_line(all, "\nenclave-call,nested,thread,ept,10,0,2,2,2,,,,,1,,2.50 floors,quiet,6\n");
	expect_line(all,
	            "\nenclave-build-1m,nested,process,ept,10,0,2,2,2,100000,0.5,0.5,0.5,1,,0.80 of BLAKE2b,quiet,6\n");
	expect_line(all, "\nenclave-build-1m,native,-,ept,5,0,,,,200000,,,,,,-,quiet,6\n");
	expect_line(all, "\nenclave-rules-1m,native,-,ept,5,0,,,,200000,1,1,1,,,0.80 of BLAKE2b,quiet,6\n");
	expect_line(all, "\nenclave-chase-in,shadow,process,ept,10,0,,,,,,,,1,7,-,quiet,6\n");
	free(all);
	strcpy(results.op.series[4].na, "it is broken");
	all = written(enclave_costs_report, report_print);
	expect_line(all, "n/a: it is broken\n");
	free(all);
}

Test(bench_enclave_report, walks)
{
	char *all = written(enclave_walks_report, report_write_csv);

	expect_line(all, "\nnative,,\"none, or composed\",-,,4,4,4,,,,,\n");
	expect_line(all, "\nnested,,ept,-,,24,4,4,,,,,\n");
	expect_line(all, "\nenclave,4,\"none, or composed\",\"once, every\",2,24,10,10,20,30,40,100,");
	expect_line(all, "\nenclave,4,4 levels,once,2,44,90,90,100,110,120,100,");
	expect_line(all, "\nenclave,4,4 levels,every,2,124,210,210,220,230,240,100,");
	free(all);
	strcpy(results.run[0].na, "no enclave");
	all = written(enclave_walks_report, report_print);
	expect_line(all, "n/a: no enclave\n");
	free(all);
}

/* Bars on either side. */
Test(bench_enclave_report, bars)
{
	char *all = said_text(enclave_explain, &results);

	expect_line(all, "enclave-call, nested, monitor a thread: 2.000 floors, bar 2.50: met.\n");
	expect_line(all, "enclave-build-4k, shadow, monitor a process: 0.500 of BLAKE2b's rate, bar 0.80: NOT met.\n");
	expect_line(all, "enclave-rules-4k, native: 1.000 of BLAKE2b's rate, bar 0.80: met.\n");
	expect_line(all, "A load inside an enclave takes 1.00 times one outside in shadow mode");
	free(all);
}
