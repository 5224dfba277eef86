/* SPDX-License-Identifier: MIT */
/*
 * The numbers under every result, against values worked out by hand or by R, and the table that
 * carries them: what is printed must be what was measured, and a hole must say why.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/percentile.h"
#include "bench/report/report.h"
#include "bench/stats.h"

#define NEAR(a, b) (fabs((a) - (b)) <= 1e-12 * (1 + fabs(b)))

static struct stats_summary summarise(const double *x, size_t n)
{
	struct stats_summary s;

	cr_assert_eq(stats_summarise(x, n, STATS_SEED, &s), 0);
	return s;
}

/* Deterministic samples without a library: 1 to 1000, with repeats. */
static void fill(double *x, size_t n, unsigned seed)
{
	srand(seed);
	for (size_t i = 0; i < n; i++)
		x[i] = 1 + rand() % 1000;
}

/* Unsorted input; percentiles as R's quantile(c(1..10), type = 7) gives them. */
Test(stats, known_values)
{
	const double x[] = {7, 1, 10, 4, 2, 9, 3, 8, 5, 6};
	const struct stats_summary s = summarise(x, 10);

	cr_expect_eq(s.n, 10);
	cr_expect_eq(s.min, 1);
	cr_expect_eq(s.max, 10);
	cr_expect(NEAR(s.mean, 5.5));
	cr_expect(NEAR(s.median, 5.5));
	cr_expect(NEAR(s.p5, 1.45));
	cr_expect(NEAR(s.p25, 3.25));
	cr_expect(NEAR(s.p75, 7.75));
	cr_expect(NEAR(s.p95, 9.55));
	cr_expect(NEAR(s.p99, 9.91));
	cr_expect(NEAR(s.iqr, 4.5));
	cr_expect(NEAR(s.mad, 2.5));
	cr_expect_eq(s.outliers, 0);
}

/* The textbook example of the median absolute deviation (1 1 2 2 4 6 9: median 2, MAD 1), odd n. */
Test(stats, mad_and_odd_median)
{
	const double x[] = {1, 1, 2, 2, 4, 6, 9};
	const struct stats_summary s = summarise(x, 7);

	cr_expect_eq(s.median, 2);
	cr_expect_eq(s.mad, 1);
}

/* Tukey's fence, on it and just beyond: with 1..10 it lies at 16 for a high sample and at -5 for a low one. */
Test(stats, outliers)
{
	static const struct {
		double sample;
		size_t outliers;
	} cases[] = {{16, 0}, {16.5, 1}, {-5, 0}, {-5.5, 1}};
	double x[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 0};

	for (size_t i = 0; i < 4; i++) {
		x[10] = cases[i].sample;
		cr_expect_eq(summarise(x, 11).outliers, cases[i].outliers, "%g", x[10]);
	}
}

/* The ends of the percentile scale and one sample: no read past the array. */
Test(stats, percentile_edges)
{
	const double x[] = {3, 5};

	cr_expect_eq(percentile(x, 2, 0), 3);
	cr_expect_eq(percentile(x, 2, 100), 5);
	cr_expect_eq(percentile(x, 2, 25), 3.5);
	for (int p = 0; p <= 100; p++)
		cr_expect_eq(percentile(x, 1, p), 3);
}

/* One sample, or many equal ones, are exactly themselves in every statistic, 0.1 included. */
Test(stats, equal_samples)
{
	const double x[] = {0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1};

	for (size_t n = 1; n <= 7; n++) {
		const struct stats_summary s = summarise(x, n);

		cr_expect(s.min == 0.1 && s.max == 0.1 && s.mean == 0.1 && s.median == 0.1, "n = %zu", n);
		cr_expect(s.mad == 0 && s.iqr == 0 && s.outliers == 0);
		if (n >= STATS_FEWEST)
			cr_expect(s.ci_low == 0.1 && s.ci_high == 0.1);
	}
}

/* What holds for all samples: order of the statistics; and only the interval knows the samples' order. */
Test(stats, ordering_properties)
{
	double x[64], reversed[64];

	for (unsigned seed = 0; seed < 200; seed++) {
		const size_t n = 1 + seed % 64;
		struct stats_summary s, t;

		fill(x, n, seed);
		for (size_t i = 0; i < n; i++)
			reversed[i] = x[n - 1 - i];
		s = summarise(x, n);
		t = summarise(reversed, n);
		cr_expect(s.min <= s.p5 && s.p5 <= s.p25 && s.p25 <= s.median, "seed %u", seed);
		cr_expect(s.median <= s.p75 && s.p75 <= s.p95 && s.p95 <= s.max, "seed %u", seed);
		cr_expect(s.ci_low <= s.median && s.median <= s.ci_high, "seed %u", seed);
		cr_expect(n < STATS_FEWEST || (s.min <= s.ci_low && s.ci_high <= s.max), "seed %u", seed);
		cr_expect(s.mad <= s.max - s.min && s.outliers < n, "seed %u", seed);
		t.ci_low = s.ci_low;
		t.ci_high = s.ci_high;
		cr_expect(memcmp(&s, &t, sizeof(s)) == 0, "seed %u: the samples' order matters", seed);
	}
}

/* Scaling by a power of two is exact, so every statistic must scale exactly; the count of outliers stays. */
Test(stats, scale_property)
{
	double x[33], y[33];
	struct stats_summary s, t;

	fill(x, 33, 7);
	for (size_t i = 0; i < 33; i++)
		y[i] = x[i] * 8;
	s = summarise(x, 33);
	t = summarise(y, 33);
	cr_expect(t.median == 8 * s.median && t.mad == 8 * s.mad && t.iqr == 8 * s.iqr && t.mean == 8 * s.mean);
	cr_expect(t.ci_low == 8 * s.ci_low && t.ci_high == 8 * s.ci_high && t.p95 == 8 * s.p95);
	cr_expect_eq(t.outliers, s.outliers);
}

/* Same seed, same interval; another seed, another one (or the seed is ignored). */
Test(stats, bootstrap_is_seeded)
{
	double x[40];
	struct stats_summary a, b;
	bool differs = false;

	for (size_t i = 0; i < 40; i++)
		x[i] = exp((double)(i * 17 % 40) / 7); /* no trend, and no two gaps alike: intervals differ visibly */
	a = summarise(x, 40);
	b = summarise(x, 40);
	cr_expect(memcmp(&a, &b, sizeof(a)) == 0);
	for (uint64_t seed = 1; seed < 20; seed++) {
		cr_assert_eq(stats_summarise(x, 40, seed, &b), 0);
		cr_expect_eq(a.median, b.median, "only the interval is drawn");
		differs |= a.ci_low != b.ci_low || a.ci_high != b.ci_high;
	}
	cr_expect(differs);
}

/*
 * The interval means what it says: of 400 sets of 25 samples from 1..1000 about 95 % of the intervals hold
 * the true median 500.5. Seeded, so this does not flicker; the limits are 4 standard deviations.
 */
Test(stats, bootstrap_covers_the_median)
{
	double x[25];
	int covered = 0;

	for (unsigned seed = 1; seed <= 400; seed++) {
		struct stats_summary s;

		fill(x, 25, seed);
		s = summarise(x, 25);
		covered += s.ci_low <= 500.5 && 500.5 <= s.ci_high;
	}
	cr_expect(covered >= 362 && covered <= 397, "%d of 400", covered);
}

/* Too few samples claim nothing: one turn on a busy host was once "0.070 (0.070 to 0.070): less long". */
Test(stats, few_samples_have_no_interval)
{
	const double a[] = {7, 7, 7, 7, 7, 7}, b[] = {100, 100, 100, 100, 100, 100};

	for (size_t n = 1; n <= 6; n++) {
		struct stats_ratio r;

		cr_assert_eq(stats_paired_ratio(a, b, n, STATS_SEED, &r), 0);
		cr_expect_eq(r.median, 0.07);
		cr_expect_eq(isinf(r.ci_low) && r.ci_low < 0, n < 6, "n = %zu", n);
		cr_expect_eq(isinf(r.ci_high) && r.ci_high > 0, n < 6, "n = %zu", n);
	}
}

/* Drift that hits both of a pair cancels: the ratio is 2 exactly though the samples grow a hundredfold. */
Test(stats, paired_ratio_cancels_drift)
{
	double a[100], b[100];
	struct stats_ratio r;

	for (int i = 0; i < 100; i++) {
		b[i] = i + 1;
		a[i] = 2 * b[i];
	}
	cr_assert_eq(stats_paired_ratio(a, b, 100, STATS_SEED, &r), 0);
	cr_expect(r.n == 100 && r.median == 2 && r.ci_low == 2 && r.ci_high == 2);
}

/* Bad samples are refused and the output stays as it was. */
Test(stats, bad_input)
{
	const double bad[] = {1, NAN}, infinite[] = {INFINITY}, zero[] = {0}, one[] = {1}, negative[] = {-1};
	struct stats_summary s = {.n = 77};
	struct stats_ratio r = {.n = 77};

	cr_expect_eq(stats_summarise(one, 0, 1, &s), -EINVAL);
	cr_expect_eq(stats_summarise(bad, 2, 1, &s), -EINVAL);
	cr_expect_eq(stats_summarise(infinite, 1, 1, &s), -EINVAL);
	cr_expect_eq(stats_paired_ratio(one, one, 0, 1, &r), -EINVAL);
	cr_expect_eq(stats_paired_ratio(one, zero, 1, 1, &r), -EINVAL);
	cr_expect_eq(stats_paired_ratio(zero, one, 1, 1, &r), -EINVAL);
	cr_expect_eq(stats_paired_ratio(one, negative, 1, 1, &r), -EINVAL);
	cr_expect_eq(stats_paired_ratio(bad + 1, one, 1, 1, &r), -EINVAL);
	cr_expect(s.n == 77 && r.n == 77);
}

static const struct report_column columns[] = {
    {"mode", "Mode", NULL, 0}, {"miss", "TLB miss", "ns", 1}, {"n", "Runs", NULL, 0}};

/* Two rows with everything that needs care: a comma, a quote, a third of one, two n/a, one NaN. */
static struct report *make_report(void)
{
	struct report *r = report_new("chase", columns, 3);

	cr_assert_not_null(r);
	report_row(r);
	report_set_text(r, "mode", "native, \"dense\"");
	report_set_number(r, "miss", 100.0 / 3);
	report_set_number(r, "n", 12);
	report_row(r);
	report_set_text(r, "mode", "wrong");
	report_set_text(r, "mode", "nested"); /* the later one counts */
	report_set_na(r, "miss", "no /dev/kvm");
	report_set_number(r, "n", NAN);
	return r;
}

static void expect_output(int (*write)(const struct report *, FILE *), const char *expected)
{
	struct report *r = make_report();
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	cr_assert_eq(write(r, f), 0);
	fclose(f);
	cr_expect_str_eq(text, expected);
	free(text);
	report_free(r);
}

/* People's table: units in the header, numbers right, each reason once. */
Test(report, text)
{
	expect_output(report_print, "Mode             TLB miss (ns)  Runs\n"
	                            "native, \"dense\"           33.3    12\n"
	                            "nested                     n/a   n/a\n"
	                            "n/a: no /dev/kvm\n"
	                            "n/a: not a finite number\n");
}

/* CSV: quoting by RFC 4180, every digit, an empty cell for n/a. */
Test(report, csv)
{
	expect_output(report_write_csv, "mode,miss_ns,n\n"
	                                "\"native, \"\"dense\"\"\",33.333333333333336,12\n"
	                                "nested,,\n");
}

/* Tables of one run are one table for whatever reads CSV: columns of the same name and unit are one, others are empty. */
Test(report, csv_of_several_tables)
{
	static const struct report_column other[] = {
	    {"miss", "TLB miss", "ns", 1}, {"miss", "TLB miss", "cycles", 1}, {"refs", "refs", NULL, REPORT_RANGE}};
	struct report *const r[] = {make_report(), report_new("odd, one", other, 3)};
	const struct report *const tables[] = {r[0], r[1]};
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	report_row(r[1]);
	report_set_number(r[1], "miss", 7);
	report_set_range(r[1], "refs", 4, 24);
	cr_assert_eq(report_write_csv_all(tables, 2, f), 0);
	fclose(f);
	cr_expect_str_eq(text, "table,mode,miss_ns,n,miss_cycles,refs_low,refs_high\n"
	                       "chase,\"native, \"\"dense\"\"\",33.333333333333336,12,,,\n"
	                       "chase,nested,,,,,\n"
	                       "\"odd, one\",,7,,,4,24\n");
	free(text);
	report_free(r[0]);
	report_free(r[1]);
}

/* A row begun and not filled says so, and growing beyond the first 16 rows loses nothing. */
Test(report, many_rows_and_unset_cells)
{
	struct report *r = report_new("chase", columns, 3);
	char *text = NULL;
	int lines = 0;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	for (int i = 0; i < 100; i++) {
		report_row(r);
		report_set_number(r, "n", i);
	}
	cr_assert_eq(report_print(r, f), 0);
	fclose(f);
	for (const char *p = text; *p; p++)
		lines += *p == '\n';
	cr_expect_eq(lines, 102);
	cr_expect_not_null(strstr(text, "    99\nn/a: not measured\n"));
	free(text);
	report_free(r);
}

/* JSON: numbers are numbers, n/a is null with its reason, and the environment is there. */
Test(report, json)
{
	const struct host_info host = {.cpus = 2, .second_stage = HOST_STAGE_SOFTWARE_NPT0, .thp_enabled = "madvise"};
	struct report *r = make_report();
	const struct report *const tables[] = {r};
	struct report_environment env;
	const char *stage, *date, *mode, *reason;
	json_t *root, *miss_na;
	double miss;
	char *text;
	size_t len;
	FILE *f = open_memstream(&text, &len);
	int y, m, d;

	report_environment_capture(&host, &env);
	cr_assert_eq(report_write_json(&env, tables, 1, f), 0);
	fclose(f);
	root = json_loads(text, 0, NULL);
	cr_assert_not_null(root);
	cr_assert_eq(json_unpack(root, "{s:{s:s, s:s}, s:[{s:[{s:s, s:f}, {s:o, s:{s:s}}]}]}", "environment",
	                         "second_stage", &stage, "date", &date, "tables", "rows", "mode", &mode, "miss", &miss,
	                         "miss", &miss_na, "na", "miss", &reason),
	             0);
	cr_expect_str_eq(stage, "software (npt=0)");
	cr_expect_eq(sscanf(date, "%4d-%2d-%2dT", &y, &m, &d), 3);
	cr_expect_str_eq(mode, "native, \"dense\"");
	cr_expect(miss == 100.0 / 3);
	cr_expect(json_is_null(miss_na));
	cr_expect_str_eq(reason, "no /dev/kvm");
	json_decref(root);
	report_free(r);
	free(text);
}

/* What cannot be written is an error, not a silent loss of a night's results. */
Test(report, json_write_errors)
{
	const struct host_info host = {0};
	struct report *r = make_report();
	const struct report *const tables[] = {r};
	struct report_environment env;
	FILE *full = fopen("/dev/full", "w");

	report_environment_capture(&host, &env);
	cr_expect_eq(report_write_json(&env, tables, 1, full), -EIO);
	cr_expect_eq(report_write_csv(r, full), -EIO);
	cr_expect_eq(report_print(r, full), -EIO);
	fclose(full);
	report_free(r);
}
