/* SPDX-License-Identifier: MIT */
/*
 * The workload `auto`: what its driver prints, read back; which mode ran when; and what the table makes of made-up
 * samples. A change of one phase must not be told of another.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/workload/auto.h"
#include "table_text.h"

#define ROUNDS 7
#define PHASES "phases init=10 steady=20 again=30\n"
#define CPU    "cpu init=4 steady=5 again=6\n"
#define COUNTS "exits init=7 steady=0 again=9\nshadow-events init=70 steady=80 again=0\n"

static struct auto_sample got;

static int parse(const char *text)
{
	return auto_output_parse(text, strlen(text), &got);
}

Test(bench_auto, good_output)
{
	cr_assert_eq(parse(PHASES CPU COUNTS), 0);
	cr_expect_eq(got.nr_changes, 0);
	cr_assert_eq(parse(PHASES CPU COUNTS "change to=shadow ago=45\nchange to=nested ago=29\n"), 0);
	cr_expect(got.tsc[AUTO_INIT] == 10 && got.tsc[AUTO_STEADY] == 20 && got.tsc[AUTO_AGAIN] == 30);
	cr_expect(got.cpu_ns[AUTO_INIT] == 4 && got.cpu_ns[AUTO_STEADY] == 5 && got.cpu_ns[AUTO_AGAIN] == 6);
	cr_expect(got.counted && got.exits[AUTO_INIT] == 7 && !got.exits[AUTO_STEADY] && got.exits[AUTO_AGAIN] == 9);
	cr_expect(got.shadow_events[AUTO_INIT] == 70 && got.shadow_events[AUTO_STEADY] == 80);
	cr_assert_eq(got.nr_changes, 2);
	cr_expect(got.change[0].shadow && got.change[0].ago == 45);
	cr_expect(!got.change[1].shadow && got.change[1].ago == 29);
}

/* A guest that ended too early for its counters has its times all the same. */
Test(bench_auto, uncounted)
{
	cr_assert_eq(parse(PHASES CPU "uncounted\nchange to=shadow ago=45\n"), 0);
	cr_expect_not(got.counted);
	cr_expect_eq(got.nr_changes, 1);
}

Test(bench_auto, bad_output)
{
	static const char *const bad[] = {
	    "",
	    "phases init=10 steady=20 again=30",
	    PHASES,
	    "phases init=10 steady=20 again=30\ncpu init=4 steady=0 again=6\n",
	    "phases init=10 steady=20\n" CPU,
	    "phases init=0 steady=20 again=30\n" CPU,
	    "phases steady=20 init=10 again=30\n" CPU,
	    PHASES CPU,
	    PHASES CPU "exits init=7 steady=0 again=9\n",
	    PHASES CPU "exits init=7 steady=0\nshadow-events init=70 steady=80 again=0\n",
	    PHASES CPU "uncounted\n" COUNTS,
	    PHASES CPU COUNTS "x",
	    PHASES CPU COUNTS "change to=auto ago=1\n",
	    PHASES CPU COUNTS "change to=shadow ago=\n",
	};
	char many[4096];
	size_t len = snprintf(many, sizeof(many), PHASES CPU COUNTS);

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		cr_expect_eq(parse(bad[i]), -EBADMSG, "%s", bad[i]);
	for (int i = 0; i <= AUTO_MAX_CHANGES; i++)
		len += snprintf(many + len, sizeof(many) - len, "change to=shadow ago=%d\n", 100 - i);
	cr_expect_eq(parse(many), -EBADMSG);
	cr_expect_eq(got.nr_changes, 0, "untouched on failure");
}

/* Phases of 4, 10 and 5 s. To shadow 2.5 s after steady began, back 0.5 s after again began. */
static const struct auto_sample there_and_back = {
    .tsc = {4000000, 10000000, 5000000},
    .nr_changes = 2,
    .change = {{12500000, true}, {4500000, false}},
};

static struct auto_story told(enum auto_phase phase, const struct auto_sample *s, bool shadow, double tsc_mhz)
{
	struct auto_story story;

	auto_tell(s, phase, shadow, tsc_mhz, &story);
	return story;
}

Test(bench_auto, which_mode_ran_when)
{
	struct auto_story s = told(AUTO_INIT, &there_and_back, false, 1);

	cr_expect_str_eq(s.words, "nested");
	cr_expect(s.changes == 0 && s.in_shadow == 0);
	s = told(AUTO_STEADY, &there_and_back, false, 1);
	cr_expect_str_eq(s.words, "nested, shadow from 2.5 s");
	cr_expect_eq(s.changes, 1);
	cr_expect_float_eq(s.in_shadow, 0.75, 1e-9);
	s = told(AUTO_AGAIN, &there_and_back, false, 1);
	cr_expect_str_eq(s.words, "shadow, nested from 0.5 s");
	cr_expect_eq(s.changes, 1);
	cr_expect_float_eq(s.in_shadow, 0.1, 1e-9);
	cr_expect_str_eq(told(AUTO_AGAIN, &there_and_back, false, 0).words, "shadow, nested", "no time is known");
}

Test(bench_auto, no_change)
{
	const struct auto_sample s = {.tsc = {10, 10, 10}};

	cr_expect_str_eq(told(AUTO_STEADY, &s, true, 1).words, "shadow");
	cr_expect_float_eq(told(AUTO_STEADY, &s, true, 1).in_shadow, 1, 1e-9);
	cr_expect_str_eq(told(AUTO_AGAIN, &s, false, 1).words, "nested");
}

/* What came before the first phase began counts as the first's, with no share of its time. */
Test(bench_auto, change_before_the_first_phase)
{
	const struct auto_sample s = {.tsc = {10, 10, 10}, .nr_changes = 1, .change = {{50, true}}};

	cr_expect_eq(told(AUTO_INIT, &s, false, 1).changes, 1);
	cr_expect_float_eq(told(AUTO_INIT, &s, false, 1).in_shadow, 1, 1e-9);
	cr_expect_eq(told(AUTO_STEADY, &s, false, 1).changes, 0);
	cr_expect_str_eq(told(AUTO_STEADY, &s, false, 1).words, "shadow");
}

static struct host_info host;
static const struct bench_plan plan = {.host = &host, .rounds = ROUNDS};
static struct auto_sample samples[AUTO_NR_CASES][ROUNDS];
static struct auto_results results;

/* init: nested 4 s, shadow 16 s, auto 4.2 s. steady: 10, 8, 8.4 s. again: 5, 20, 6 s. Each round is 1 % slower. */
static void setup(void)
{
	static const uint64_t ms[AUTO_NR_PAGINGS][AUTO_NR_PHASES] = {
	    {4000, 10000, 5000}, {16000, 8000, 20000}, {4200, 8400, 6000}};

	host = (struct host_info){.second_stage = HOST_STAGE_EPT};
	results = (struct auto_results){.plan = &plan, .tsc_mhz = 1};
	for (int i = 0; i < AUTO_NR_CASES; i++) {
		for (int round = 0; round < ROUNDS; round++) {
			struct auto_sample *s = &samples[i][round];

			*s = (struct auto_sample){0};
			for (int p = 0; p < AUTO_NR_PHASES; p++)
				s->tsc[p] = ms[i % AUTO_NR_PAGINGS][p] * 10 * (99 + round);
			for (int p = 0; p < AUTO_NR_PHASES; p++)
				s->cpu_ns[p] = s->tsc[p] * 500;
			s->cpu_ns[AUTO_AGAIN] = 1000000000; /* the same in each mode */
			s->counted = i >= AUTO_NR_PAGINGS || round;
			s->exits[AUTO_STEADY] = 10 * (unsigned)round; /* 30 in the mean */
			s->shadow_events[AUTO_STEADY] = 7;
			if (i % AUTO_NR_PAGINGS == AUTO_AUTO) {
				s->nr_changes = 1;
				s->change[0] =
				    (struct auto_change){.ago = s->tsc[AUTO_AGAIN] + 1000000, .shadow = true};
			}
		}
		results.sample[i] = samples[i];
	}
}

TestSuite(bench_auto_report, .init = setup);

static char *written(int (*write)(const struct report *, FILE *))
{
	struct report *table = NULL;

	cr_assert_eq(auto_report(&results, &table), 0);
	return table_text(table, write);
}

/* The ratio is to nested in init and again, to shadow in steady. */
Test(bench_auto_report, figures)
{
	static const char *const rows[] = {
	    "4k,init,nested,ept,4.0800000000000001,,,,2.04,,,,-,0,0,,,nested,7",
	    "4k,init,shadow,ept,16.32,,,,8.1600000000000001,,,,-,0,100,,,shadow,7",
	    "4k,init,auto,ept,4.2839999999999998,1.0",
	    "4k,steady,nested,ept,10.199999999999999,",
	    "4k,steady,shadow,ept,8.16",
	    "4k,steady,auto,ept,8.56",
	    "4k,again,nested,ept,5.09",
	    "4k,again,shadow,ept,20.3",
	    "4k,again,auto,ept,6.1",
	    "thp,init,nested,ept,4.0800000000000001,",
	};
	char *text = written(report_write_csv), *line = strtok(text, "\n");

	cr_expect_str_eq(line,
	                 "backing,phase,paging,second_stage,time_s,ratio,ratio_ci_low,ratio_ci_high,cpu_s,cpu_ratio,"
	                 "cpu_ratio_ci_low,cpu_ratio_ci_high,bar,changes,"
	                 "in_shadow_percent,exits,shadow_events,ran,n");
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		line = strtok(NULL, "\n");
		cr_expect_eq(strncmp(line, rows[i], strlen(rows[i])), 0, "%s\n%s", line, rows[i]);
	}
	free(text);
	text = written(report_print);
	cr_expect(strstr(text, "nested, shadow from 7.6 s"), "%s", text);
	cr_expect(strstr(text, "4.28          1.050     1.050  1.050"), "%s", text);
	free(text);
}

/* Means of all rounds; nested mode has no shadow of ours, and a round that was not counted leaves none to tell. */
Test(bench_auto_report, counts)
{
	char *text = written(report_write_csv);

	cr_expect(strstr(text, "\nthp,steady,nested,") && strstr(text, ",-,0,0,30,,nested,7\n"), "%s", text);
	cr_expect(strstr(text, ",-,0,100,30,7,shadow,7\n"), "%s", text);
	cr_expect(strstr(text, ",30,7,\"nested, shadow from"), "%s", text);
	free(text);
	text = written(report_print);
	cr_expect(strstr(text, "n/a: a guest ended before it could be asked\n"), "%s", text);
	cr_expect(strstr(text, "n/a: only shadow mode has a shadow of ours\n"), "%s", text);
	free(text);
}

/*
 * Again is 1.2 times nested, at the same CPU time. A verdict is the interval's, for clock and CPU by itself; where nothing
 * was changed that is said.
 */
Test(bench_auto_report, bars)
{
	char *text = said_text(auto_explain, &results);

	cr_expect(strstr(text,
	                 "4k, init: 1.050 on the clock, 1.050 of CPU time, bar 1.10: met on the clock, met by CPU "
	                 "time; auto did not change the mode in this phase.\n"),
	          "%s", text);
	cr_expect(strstr(text, "thp, steady: 1.050 on the clock, 1.050 of CPU time, bar 1.10: met on the clock, met by "
	                       "CPU time.\n"),
	          "%s", text);
	cr_expect(strstr(text, "thp, again: 1.200 on the clock, 1.000 of CPU time, bar 1.10: NOT met on the clock, met "
	                       "by CPU time; auto"),
	          "%s", text);
	free(text);
	for (int round = 0; round < 3; round++) /* three rounds of seven are beyond the bar */
		samples[AUTO_AUTO][round].tsc[AUTO_INIT] = samples[AUTO_AUTO][round].tsc[AUTO_INIT] * 12 / 10;
	text = said_text(auto_explain, &results);
	cr_expect(strstr(text,
	                 "4k, init: 1.050 on the clock, 1.050 of CPU time, bar 1.10: met by the median, the interval "
	                 "holds the bar on the clock"),
	          "%s", text);
	free(text);
}

/* A phase that ends before auto can change its mode shows nothing of it, and neither does the one behind it. */
Test(bench_auto_report, too_short)
{
	char *text;

	for (int round = 0; round < ROUNDS; round++) {
		samples[AUTO_AUTO][round].tsc[AUTO_STEADY] /= 7; /* 1.2 s */
		samples[AUTO_AUTO + AUTO_NR_PAGINGS][round].tsc[AUTO_STEADY] /= 7;
		samples[AUTO_AUTO][round].nr_changes = 0;
	}
	text = said_text(auto_explain, &results);
	cr_expect(strstr(text, "4k, init: 1.050 on the clock"), "%s", text);
	cr_expect(strstr(text, "4k, steady: steady took 1.2 s, and auto may need 1.5 s to change the mode: too short.\n"
	                       "4k, again: steady took 1.2 s"),
	          "%s", text);
	cr_expect(strstr(text, "thp, steady: 0.150 on the clock"), "it did change: %s", text);
	free(text);
	text = written(report_write_csv);
	cr_expect(strstr(text, "\n4k,again,auto,ept,6.12") && strstr(text, ",,,,1,,,,1.10,0,0,,,nested,7\n"), "%s",
	          text);
	free(text);
	text = written(report_print);
	cr_expect(strstr(text, "n/a: steady took 1.2 s, and"), "%s", text);
	free(text);
}

/* Without shadow mode nobody knows the better one; the times of the others stand. */
Test(bench_auto_report, failed)
{
	char *text;

	strcpy(results.na[AUTO_SHADOW], "no Zydis");
	text = written(report_print);
	cr_expect(strstr(text, "n/a: no Zydis\n"), "%s", text);
	cr_expect(strstr(text, "it takes both modes"), "%s", text);
	cr_expect(strstr(text, "4.28"), "%s", text);
	free(text);
	text = said_text(auto_explain, &results);
	cr_expect_null(strstr(text, "4k, init"), "%s", text);
	free(text);
	for (int i = 0; i < AUTO_NR_CASES; i++)
		strcpy(results.na[i], "no KVM");
	cr_expect_not(auto_any(&results));
	text = said_text(auto_explain, &results);
	cr_expect_str_eq(text, "");
	free(text);
}

/* An emulator's times mean nothing. The changes stand. */
Test(bench_auto_report, emulated)
{
	char *text;

	host.emulator = HOST_EMULATOR_BOCHS;
	text = written(report_write_csv);
	cr_expect(strstr(text, "4k,steady,auto,ept,,,,,,,,,1.10,1,,,,\"nested, shadow\",7\n"), "%s", text);
	free(text);
	text = written(report_print);
	cr_expect(strstr(text, "emulated by Bochs"), "%s", text);
	free(text);
	text = said_text(auto_explain, &results);
	cr_expect_null(strstr(text, "bar"), "%s", text);
	free(text);
}
