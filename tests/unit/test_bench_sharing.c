/* SPDX-License-Identifier: MIT */
/* Workload `sharing`: a real run over a small memory, which checks each comparison itself, and its tables. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "bench/workload/sharing.h"

static char *text_of(const struct sharing_results *res, int (*table)(const void *, struct report **))
{
	char *text = NULL;
	size_t size;
	FILE *to = open_memstream(&text, &size);
	struct report *t = NULL;

	cr_assert_eq(table(res, &t), 0);
	cr_assert_eq(report_write_csv(t, to), 0);
	report_free(t);
	fclose(to);
	return text;
}

static unsigned lines(const char *text)
{
	unsigned n = 0;

	for (; (text = strchr(text, '\n')); text++)
		n++;
	return n;
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
	text = text_of(res, w->tables[0]);
	cr_expect_eq(lines(text), 1 + 2, "%s", text);
	cr_expect(strstr(text, "\nblake2b,64,") && strstr(text, "\nxxh3,64,"), "%s", text);
	free(text);
	text = text_of(res, w->tables[1]);
	cr_expect_eq(lines(text), 1 + 2 * 7, "64 MiB have 16384 pages, so 30000 are all: %s", text);
	cr_expect(strstr(text, "\nblake2b,0,1,") && strstr(text, "\nblake2b,1,2049,"), "%s", text);
	cr_expect(strstr(text, "\nxxh3,16384,"), "%s", text);
	free(text);
	to = fmemopen(words, sizeof(words), "w");
	w->explain(res, to);
	fclose(to);
	cr_expect(strstr(words, "% of the speed of blake2b alone") && strstr(words, "With xxh3, update and descent"),
	          "%s", words);
	w->release(res);
	free(res);
}
