/* SPDX-License-Identifier: MIT */
#include "bench/workload/apps.h"

#define QUICK_SECONDS 2.0 /* of turns, for each case */
#define FULL_SECONDS  20.0

static int begin(void *results, const struct bench_plan *plan)
{
	return miss_begin(results, plan, miss_choose_apps, QUICK_SECONDS, FULL_SECONDS);
}

static void describe(const void *results, size_t i, char *ret_text, size_t size)
{
	const struct miss_request *q = &((const struct miss_results *)results)->request[i];
	char words[MISS_MAPPING_WORDS];

	snprintf(ret_text, size, "%s, %s, up to %.0f s", app_name(q->app), miss_mapping_words(q, words), q->seconds);
}

const struct workload apps_workload = {
    .name = "apps",
    .what = "gups, scan, B-tree and hash join over the same memory in turns of milliseconds",
    .needs = 1 << BENCH_COST,
    .has_arena = true,
    .rounds = MISS_MAX_TURNS,
    .quick_rounds = MISS_MAX_TURNS,
    .untimed_rounds = 1,
    .results_size = sizeof(struct miss_results),
    .begin = begin,
    .nr_cases = miss_nr_cases,
    .is_due = miss_is_due,
    .describe = describe,
    .turn = miss_turn,
    .interrupted = miss_interrupted,
    .any = miss_any,
    .tables = {apps_report},
    .find = apps_find,
    .explain = apps_explain,
    .release = miss_release,
};
