/* SPDX-License-Identifier: MIT */
/* The catalogue of workloads: each has what the runner calls. No child runs. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "bench/runner.h"

static struct host_info host;
static struct bench_plan asked = {.host = &host};

/* What the runner calls is there, and each name only once. */
Test(bench_catalogue, catalogue)
{
	for (size_t i = 0; workload_catalogue[i]; i++) {
		const struct workload *w = workload_catalogue[i];

		cr_expect_str_eq(workload_name(i), w->name);
		cr_expect(w->what && w->rounds && w->quick_rounds && w->results_size, "%s", w->name);
		cr_expect(w->begin && w->nr_cases && w->is_due && w->describe && w->turn && w->any && w->tables[0],
		          "%s", w->name);
		cr_expect(w->in_full || !w->in_quick, "%s", w->name);
		cr_expect_lt(strlen(w->what), 90u, "%s: a line of the help", w->name);
		for (size_t j = 0; j < i; j++)
			cr_expect_str_neq(workload_name(j), w->name);
	}
}

/* Each workload has cases, no more than there is room for, and all have words. */
Test(bench_catalogue, cases)
{
	asked.where = 1 << BENCH_NATIVE | 1 << BENCH_NESTED | 1 << BENCH_SHADOW;
	for (size_t i = 0; workload_catalogue[i]; i++) {
		const struct workload *w = workload_catalogue[i];
		const struct bench_plan plan = runner_plan(w, &asked);
		void *results = calloc(1, w->results_size);
		char words[128];

		cr_assert_eq(w->begin(results, &plan), 0);
		cr_expect_gt(w->nr_cases(results), 0u);
		cr_expect_leq(w->nr_cases(results), (size_t)WORKLOAD_MAX_CASES);
		for (size_t first = 0, end; w->group_end && first < w->nr_cases(results); first = end) {
			end = w->group_end(results, first);
			cr_assert_gt(end, first, "%s", w->name);
			cr_assert_leq(end, w->nr_cases(results), "%s", w->name);
		}
		for (size_t c = 0; c < w->nr_cases(results); c++) {
			*words = 0;
			w->describe(results, c, words, sizeof(words));
			cr_expect_gt(strlen(words), 0u);
		}
		if (w->release)
			w->release(results);
		free(results);
	}
}
