/* SPDX-License-Identifier: MIT */
/* What disturbs a measurement is seen, counted, and in the row: nobody believes a figure of a busy host by mistake. */
#include <criterion/criterion.h>
#include <math.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/counter.h"
#include "bench/stats.h"
#include "bench/workload/miss.h"
#include "bench/workload/miss_hand.h"
#include "bench/workload/miss_steal.h"
#include "table_text.h"

/* The largest share counts, each limit is the better word's, and too few samples have none. */
Test(bench_noise, words)
{
	static const struct {
		size_t n, outliers, disturbed;
		double stolen;
		const char *word;
	} cases[] = {
	    {100, 0, 0, 0, "quiet"},   {100, 5, 5, 0.05, "quiet"},  {100, 6, 0, 0, "some"},
	    {100, 0, 6, 0, "some"},    {100, 0, 0, 0.06, "some"},   {100, 25, 25, 0.25, "some"},
	    {100, 26, 0, 0, "noisy"},  {100, 0, 26, 0, "noisy"},    {100, 0, 0, 0.26, "noisy"},
	    {100, 0, 0, NAN, "quiet"}, {100, 0, 100, NAN, "noisy"}, {6, 0, 0, 0, "quiet"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		const struct stats_summary s = {.n = cases[i].n, .outliers = cases[i].outliers, .median = 100};

		cr_expect_str_eq(stats_noise(&s, cases[i].disturbed, cases[i].stolen), cases[i].word, "case %zu", i);
	}
	cr_expect_str_eq(stats_noise(&(struct stats_summary){.n = 6, .iqr = 5, .median = -100}, 0, 0), "quiet");
	cr_expect_str_eq(stats_noise(&(struct stats_summary){.n = 6, .iqr = 25, .median = 100}, 0, 0), "some");
	cr_expect_str_eq(stats_noise(&(struct stats_summary){.n = 6, .iqr = 26, .median = 100}, 0, 0), "noisy");
	cr_expect_str_eq(stats_noise(&(struct stats_summary){.n = 6}, 0, 0), "quiet", "nothing but zeroes");
	cr_expect_null(stats_noise(&(struct stats_summary){.n = STATS_FEWEST - 1}, 0, 0));
}

static double steal_of(const char *text, int cpu)
{
	FILE *stat = fmemopen((void *)(uintptr_t)text, strlen(text), "r");
	const double seconds = miss_steal_read(stat, cpu, 100);

	fclose(stat);
	return seconds;
}

/* The line of that CPU alone, its eighth number; a kernel that has fewer says nothing. */
Test(bench_noise, steal)
{
	static const char stat[] = "cpu  1 2 3 4 5 6 7 1000 9 10\n"
	                           "cpu1 1 2 3 4 5 6 7 250 9 10\n"
	                           "cpu12 1 2 3 4 5 6 7 36893488147 9 10\n"
	                           "intr 5\ncpu3 1 2 3 4 5 6 7 8\n";

	cr_expect_float_eq(steal_of(stat, 1), 2.5, 1e-9);
	cr_expect_float_eq(steal_of(stat, 12), 368934881.47, 1e-3);
	cr_expect(isnan(steal_of(stat, 0)), "all CPUs' line is no CPU's");
	cr_expect(isnan(steal_of(stat, 3)), "a line behind those of CPUs is none of them");
	cr_expect(isnan(steal_of("cpu0 1 2 3 4 5 6 7\n", 0)));
	cr_expect(isnan(steal_of("", 0)));
	cr_expect_geq(miss_steal(), 0, "this host has the file");
}

static atomic_bool over;

static void *share_the_cpu(void *unused)
{
	while (!over)
		sched_yield();
	return unused;
}

/* Until this thread has lost the CPU `times` more often. */
static void lose_cpu(long times)
{
	struct rusage first, now;

	getrusage(RUSAGE_THREAD, &first);
	do {
		sched_yield();
		getrusage(RUSAGE_THREAD, &now);
	} while (now.ru_nivcsw - first.ru_nivcsw < times);
}

/*
 * A thread that wakes another one on its CPU gives way to it. Between blocks that is no disturbance: when it was counted,
 * nine of ten turns of a quiet host were disturbed.
 */
Test(bench_noise, only_blocks_are_disturbed)
{
	const uint64_t before_any = 200, in_block = 100;
	struct miss_hand hand;
	pthread_t other;
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(sched_getcpu(), &set);
	cr_assert_eq(sched_setaffinity(0, sizeof(set), &set), 0);
	cr_assert_eq(miss_hand_init(&hand, -1), 0);
	cr_assert_eq(pthread_create(&other, NULL, share_the_cpu, NULL), 0);
	lose_cpu(before_any);
	miss_hand_wake(&hand);
	miss_hand_wait(&hand);
	cr_expect_eq(hand.disturbances, 0u, "there was no block");
	lose_cpu(before_any);
	miss_hand_begin(&hand);
	lose_cpu(in_block);
	miss_hand_wake(&hand);
	miss_hand_wait(&hand);
	over = true;
	pthread_join(other, NULL);
	cr_expect_geq(hand.disturbances, in_block);
	cr_expect_lt(hand.disturbances, in_block + before_any, "what came before the block is not in it");
	miss_hand_close(&hand);
}

/* Each row says how many of its turns were disturbed, what was stolen, and what shadow paging did besides. */
Test(bench_noise, in_the_row)
{
	static struct host_info host;
	static struct bench_plan plan = {.host = &host};
	static struct miss_results results = {.plan = &plan, .nr = 1};
	struct miss_request *q = &results.request[0];
	struct report *table;
	char *text;

	*q = (struct miss_request){.ring = {{.pages = 16}}, .nr_rings = 1, .who = 1 << MISS_NATIVE | 1 << MISS_SHADOW};
	q->samples = calloc(1, sizeof(*q->samples));
	cr_assert(q->samples);
	q->samples->turns = 100;
	q->samples->seconds = 10;
	q->samples->stolen = 0.1;
	q->samples->series[0] = (struct miss_series){.loads = {1000, 1000, 1000, 1000, 1000, 1000, 1000},
	                                             .shadow_events = {[MISS_SHADOW] = 250}};
	for (int n = 0; n < 100; n++)
		q->samples->series[0].ns[MISS_NATIVE][n] = q->samples->series[0].ns[MISS_SHADOW][n] = 10;
	for (int n = 0; n < 7; n++)
		q->samples->series[0].disturbed[MISS_SHADOW][n * 16] = true;
	for (int n = 97; n <= 100; n++) /* the last was begun, and cut short */
		q->samples->series[0].disturbed[MISS_NATIVE][n] = true;
	cr_assert_eq(miss_report(&results, &table), 0);
	text = table_text(table, report_write_csv);
	cr_expect(strstr(text, ",3,1,quiet,100"), "%s", text);
	cr_expect(strstr(text, ",7,1,some,100"), "%s", text);
	cr_expect(strstr(text, ",0.25,"), "%s", text);
	free(text);
	q->samples->stolen = NAN;
	cr_assert_eq(miss_report(&results, &table), 0);
	text = table_text(table, report_write_csv);
	cr_expect_null(strstr(text, "nan"), "%s", text);
	free(text);
	free(q->samples);
}

/* All that is an event, and nothing else, is in the sum. */
Test(bench_noise, shadow_events)
{
	struct counters set = {0};
	uint64_t wanted = 0;

	for (int c = 0; c < CTR_NR; c++) {
		counter_add(&set, c, 1ull << c % 50);
		wanted += counter_is_shadow_event(c) ? 1ull << c % 50 : 0;
	}
	cr_expect_eq(counter_shadow_events(&set), wanted);
	cr_expect(counter_is_shadow_event(CTR_SHADOW_FILLS));
	cr_expect_not(counter_is_shadow_event(CTR_SHADOW_PAGES_IN_USE), "a level is no event");
	cr_expect_not(counter_is_shadow_event(CTR_EXITS), "exits have a column of their own");
}
