/* SPDX-License-Identifier: MIT */
/* Workload `sharing`: a real run over a small memory, which checks each comparison itself, and its tables. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>

#include "bench/workload/sharing.h"
#include "table_text.h"

static char *text_of(const struct sharing_results *res, int (*table)(const void *, struct report **))
{
	struct report *t = NULL;

	cr_assert_eq(table(res, &t), 0);
	return table_text(t, report_write_csv);
}

static char *printed(const struct sharing_results *res, int (*table)(const void *, struct report **))
{
	struct report *t = NULL;

	cr_assert_eq(table(res, &t), 0);
	return table_text(t, report_print);
}

static unsigned lines(const char *text)
{
	unsigned n = 0;

	for (; (text = strchr(text, '\n')); text++)
		n++;
	return n;
}

/* Made-up values: in the case of each mode, in one of them no KVM. */
Test(bench_sharing, guests)
{
	static const struct host_info host = {.kvm = HOST_KVM_OK};
	const struct bench_plan plan = {
	    .host = &host, .rounds = 6, .where = 1u << BENCH_NESTED | 1u << BENCH_SHADOW, .limits.signal_fd = -1};
	const struct workload *w = &sharing_workload;
	struct sharing_results *res = calloc(1, w->results_size);
	char *text, words[4096] = {0};
	FILE *to;

	cr_assert_eq(w->begin(res, &plan), 0);
	cr_assert_eq(w->nr_cases(res), (size_t)SHARING_CASES + 6);
	w->finish(res, &(struct bench_run){.done = {6, 6}});
	for (size_t i = 0; i < SHARING_GUEST_CASES; i++) {
		*res->guests.na[i] = 0;
		cr_assert(w->is_due(res, SHARING_CASES + i));
		for (int round = 0; round < 6; round++)
			for (int v = 0; v < SHARING_VALUES; v++)
				res->guests.value[i][v][round] = (v + 1) * 1000;
		for (int round = 0; round < 6 && sharing_what(i) != SHARING_SNAPSHOT; round++) {
			res->guests.value[i][GUESTS_ALONE][round] = 4 * 1024;
			res->guests.value[i][GUESTS_TOGETHER][round] = 1024 + 1024 * (i > 3);
		}
		for (int round = 0; round < 6 && sharing_what(i) == SHARING_SNAPSHOT; round++)
			res->guests.value[i][SNAPSHOT_FULL][round] = i ? 20000 : 100000;
	}
	strcpy(res->guests.na[2], "it did not start");
	text = text_of(res, w->tables[2]);
	cr_expect_eq(lines(text), 1 + 2, "%s", text);
	cr_expect(strstr(text, ",1024,100,2,") && strstr(text, ",6,7,"), "%s", text);
	cr_expect(strstr(text, ",4000,,6,") && strstr(text, ",9000,,"), "nested mode has no shadow: %s", text);
	cr_expect(strstr(text, ",4000,5000,6,") && strstr(text, ",9000,10000,"), "%s", text);
	cr_expect(strstr(text, ",0.0599") && strstr(text, ",0.29"), "%s", text);
	free(text);
	text = text_of(res, w->tables[3]);
	cr_expect_eq(lines(text), 1 + 4, "%s", text);
	cr_expect(strstr(text, ",1024,512,read,11,11,11,12,12,12,13000,,6\n"), "%s", text);
	cr_expect(strstr(text, ",1024,512,mapped,15,15,15,16,16,16,17000,18000,6\n"), "%s", text);
	free(text);
	res->rounds = 3;
	text = printed(res, w->tables[3]);
	cr_expect(strstr(text, "n/a: fewer than 6 samples have no 95% interval\n"), "%s", text);
	cr_expect_null(strstr(text, "finite"), "%s", text);
	free(text);
	res->rounds = 6;
	text = text_of(res, w->tables[4]);
	cr_expect_eq(lines(text), 1 + 4, "%s", text);
	cr_expect(strstr(text, ",dedup,4,256,128,4,1,75,100,"), "%s", text);
	cr_expect(strstr(text, ",restore --lazy,4,256,128,4,2,50,"), "%s", text);
	free(text);
	to = fmemopen(words, sizeof(words), "w");
	sharing_guests_explain(res, to);
	fclose(to);
	cr_expect(strstr(words, "save 100 % of the ideal.") && strstr(words, "save 67 % of the ideal: less than 85"),
	          "%s", words);
	cr_expect(strstr(words, "17 times as fast as a full one.") &&
	              strstr(words, " 3 times as fast as a full one: less"),
	          "%s", words);
	w->release(res);
	free(res);
}

static int parse(const char *text, enum sharing_what what, double *ret)
{
	return sharing_guests_parse(text, strlen(text), what, ret);
}

Test(bench_sharing, the_drivers_line)
{
	static const char good[] = "sharing dedup alone-kib=3 together-kib=2 us=1 exits=0 events=7\n";
	static const char *const bad[] = {
	    "",
	    "sharing dedup alone-kib=3 together-kib=2 us=1 exits=0 events=7",
	    "sharing dedup alone-kib=3 together-kib=2 us=01 exits=0 events=7\n",
	    "sharing dedup alone-kib=3 together-kib=2 us=0 exits=0 events=7\n",
	    "sharing dedup alone-kib=-3 together-kib=2 us=1 exits=0 events=7\n",
	    "sharing dedup alone-kib=3 us=1 together-kib=2 exits=0 events=7\n",
	    "sharing dedup alone-kib=3 together-kib=2 us=1 exits=0 events=7\n\n",
	    "sharing lazy alone-kib=3 together-kib=2 us=1 exits=0 events=7\n",
	    "sharing dedup alone-kib=3 together-kib=2 us=1\n",
	    "sharing dedup alone-kib=3 together-kib=2 us=1 exits=0 events=\n",
	    "sharing dedup alone-kib=99999999999999999999 together-kib=2 us=1 exits=0 events=7\n",
	};
	double value[SHARING_VALUES] = {0};

	cr_assert_eq(parse(good, SHARING_DEDUP, value), 0);
	cr_expect(value[GUESTS_ALONE] == 3 && value[GUESTS_TOGETHER] == 2 && value[GUESTS_TIME] == 1);
	cr_expect(value[GUESTS_EXITS] == 0 && value[GUESTS_EVENTS] == 7);
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		cr_expect_lt(parse(bad[i], SHARING_DEDUP, value), 0, "%zu", i);
	cr_expect_lt(sharing_guests_parse("sharing dedup\0", 14, SHARING_DEDUP, value), 0);
}

Test(bench_sharing, a_round)
{
	const struct bench_plan plan = {.quick = true, .rounds = 1, .seed = 3, .limits.signal_fd = -1};
	const struct workload *w = &sharing_workload;
	struct sharing_results *res = calloc(1, w->results_size);
	struct bench_run run = {.done = {1, 1}};
	char *text, words[4096] = {0};
	FILE *to;

	cr_assert_eq(w->begin(res, &plan), 0);
	cr_assert_eq(w->prepare(res, &(struct turn){.i = 0}), 0);
	for (size_t i = 0; i < w->nr_cases(res); i++)
		cr_assert_eq(w->turn(res, &(struct turn){.i = i, .limits.signal_fd = -1}), 0);
	w->finish(res, &run);
	cr_assert(w->any(res));
	cr_expect_eq(w->nr_cases(res), (size_t)SHARING_CASES, "no mode takes part, so no guest does");
	text = text_of(res, w->tables[0]);
	cr_expect_eq(lines(text), 1 + 2, "%s", text);
	cr_expect(strstr(text, "\nblake2b,64,") && strstr(text, "\nxxh3,64,"), "%s", text);
	free(text);
	text = text_of(res, w->tables[1]);
	cr_expect_eq(lines(text), 1 + 2 * 7, "64 MiB have 16384 pages, so 30000 are all: %s", text);
	cr_expect(strstr(text, "\nblake2b,0,1,") && strstr(text, "\nblake2b,1,547,"), "%s", text);
	cr_expect(strstr(text, "\nxxh3,16384,"), "%s", text);
	free(text);
	for (int i = 2; i < 5; i++) {
		struct report *none;

		cr_assert_eq(w->tables[i](res, &none), 0);
		cr_expect_null(none);
	}
	to = fmemopen(words, sizeof(words), "w");
	w->explain(res, to);
	fclose(to);
	cr_expect(strstr(words, "% of the speed of blake2b alone") && strstr(words, "With xxh3, update and descent"),
	          "%s", words);
	w->release(res);
	free(res);
}

/* Where memory is filled and hashed a signal is heard: of 2 GiB, on a busy host, ^C had no answer in 15 s. */
Test(bench_sharing, signal_ends_preparation)
{
	static const struct host_info host = {.kvm = HOST_KVM_OK};
	const struct bench_plan plan = {
	    .host = &host, .rounds = 1, .quick = true, .limits.signal_fd = eventfd(1, EFD_CLOEXEC)};
	const struct turn turn = {.limits = plan.limits};
	const struct workload *w = &sharing_workload;
	struct sharing_results *res = calloc(1, w->results_size);

	cr_assert_eq(w->begin(res, &plan), 0);
	cr_expect_eq(w->prepare(res, &turn), -EINTR);
	w->release(res);
	free(res);
}
