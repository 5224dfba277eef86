/* SPDX-License-Identifier: MIT */
#include "bench/stats.h"
#include "bench/workload/apps.h"

static const struct report_column columns[] = {
    {"application", "application", NULL, 0},
    {"pages", "pages", NULL, 0},
    {"mapping", "guest on host", NULL, 0},
    {"environment", "run", NULL, 0},
    {"second_stage", "second stage", NULL, 0},
    {"walk_refs", "refs", NULL, REPORT_RANGE},
    {"walk", "a miss walks", NULL, 0},
    {"time", "operation", "ns", 2},
    {"time_ci_low", "95% from", "ns", 2},
    {"time_ci_high", "to", "ns", 2},
    {"time_p99", "p99", "ns", 2},
    {"ratio_to", "ratio to", NULL, 0},
    {"ratio", "ratio", NULL, 3},
    {"ratio_ci_low", "95% from", NULL, 3},
    {"ratio_ci_high", "to", NULL, 3},
    {"exits", "exits/op", NULL, 6},
    {"shadow_events", "shadow events/op", NULL, 6},
    {"dtlb", "dTLB misses/op", NULL, 3},
    {"disturbed", "disturbed", NULL, 0},
    {"stolen", "stolen", "percent", 1},
    {"noise", "noise", NULL, 0},
    {"n", "turns", NULL, 0},
};
/* A process is what the others are divided by. */
static const char *const apps_undrawn[] = {"native", NULL};
static const struct report_plot plot = {.title = "The time of applications by a process's",
                                        .panel = "application",
                                        .line = "environment",
                                        .x = "mapping",
                                        .y = "ratio",
                                        .undrawn = apps_undrawn,
                                        .heat = true};
static const struct report_layout layout = {"apps", columns, sizeof(columns) / sizeof(*columns), &plot},
                                  unplotted = {"apps", columns, sizeof(columns) / sizeof(*columns), NULL};

static const struct {
	const char *name, *operation;
} apps[ARENA_NR_APPS] = {
    [ARENA_GUPS] = {"gups", "a random word is read, changed and written; the next does not wait for it"},
    [ARENA_SCAN] = {"scan", "a page of 4 KiB is read from its first word to its last, page after page"},
    [ARENA_BTREE] = {"btree",
                     "a random key is looked up, from the root to a leaf, in nodes of 256 bytes that lie apart"},
    [ARENA_JOIN] = {"join", "a tuple is read in order and looked up in a hash table of half the memory"}};

const char *app_name(enum arena_app app)
{
	return apps[app].name;
}

static int add_row(struct report *t, const void *results, size_t row)
{
	const struct miss_results *res = results;
	const size_t i = row / MISS_NR_WHO;
	const enum miss_who who = row % MISS_NR_WHO;
	const struct miss_request *q = &res->request[i];

	if (!((q->who | q->unable) >> who & 1))
		return 0;
	report_row(t);
	report_set_text(t, "application", app_name(q->app));
	miss_set_place(t, res->plan->host, q, 0, who);
	if (q->unable >> who & 1)
		report_set_rest_na(t, miss_unable_words);
	else if (*res->na[i])
		report_set_rest_na(t, res->na[i]);
	else
		return miss_set_samples(t, res->plan->host, q, 0, who);
	return 0;
}

int apps_report(const void *results, struct report **ret_table)
{
	const struct miss_results *res = results;
	const bool one_size = res->plan->mappings.nr_sizes <= 1; /* a place of the map has one value */

	return report_build(one_size ? &layout : &unplotted, results, res->nr * MISS_NR_WHO, add_row, ret_table);
}

/* The case of the application in which the guest takes longest by a process's time; nr: it has none. */
static size_t find_longest(const struct miss_results *res, enum arena_app app, enum miss_who who,
                           struct stats_ratio *ret_ratio)
{
	size_t longest = res->nr;

	*ret_ratio = (struct stats_ratio){0};
	for (size_t i = 0; i < res->nr; i++) {
		const struct miss_request *q = &res->request[i];
		struct stats_ratio ratio;

		if (q->app != app || *res->na[i] || !(q->who >> who & 1) ||
		    miss_ratio(q, 0, who, q->samples->turns, &ratio) < 0 || ratio.median <= ret_ratio->median)
			continue;
		longest = i;
		*ret_ratio = ratio;
	}
	return longest;
}

/* A line for each application: the mapping that each guest takes longest with. */
void apps_find(const void *results, FILE *to)
{
	const struct miss_results *res = results;
	char words[MISS_MAPPING_WORDS];
	struct stats_ratio ratio;

	for (int app = ARENA_NO_APP + 1; app < ARENA_NR_APPS; app++) {
		const char *before = " by a process's time, where it is longest: ";

		for (int who = 0; who < MISS_NR_WHO; who++) {
			const bool guest = !miss_who[who].again && miss_who[who].where != BENCH_NATIVE;
			const size_t i = guest ? find_longest(res, app, who, &ratio) : res->nr;

			if (i == res->nr)
				continue;
			fprintf(to, "%s%s%s %.3f (%.3f to %.3f; %u pages, %s)", *before == ' ' ? app_name(app) : "",
			        before, miss_who[who].name, ratio.median, ratio.ci_low, ratio.ci_high,
			        res->request[i].ring[0].pages, miss_mapping_name(&res->request[i], words));
			before = ", ";
		}
		fputs(*before == ' ' ? "" : ".\n", to);
	}
}

/* How far to believe all cases. */
static void explain_method(const struct miss_results *res, FILE *to)
{
	double widest = 0, precision;
	unsigned rows = 0, held = 0;

	for (size_t i = 0; i < res->nr; i++) {
		const struct miss_request *q = &res->request[i];

		if (*res->na[i] || miss_precision(q, q->samples->turns, &precision) < 0)
			continue;
		miss_count_again(q, &rows, &held);
		widest = precision > widest ? precision : widest;
	}
	fprintf(to,
	        "The widest interval of a ratio is +-%.1f %%. Of %u environments compared with themselves, %u agree.\n",
	        100 * widest, rows, held);
}

void apps_explain(const void *results, FILE *to)
{
	const struct miss_results *res = results;

	if (!miss_any(res))
		return;
	fputs("An operation, which all environments do with the same instructions over the same physical lines, in "
	      "turns\n"
	      "of 2 ms and a random order. Ratios are taken turn by turn, with 95% intervals.\n",
	      to);
	for (int app = ARENA_NO_APP + 1; app < ARENA_NR_APPS; app++)
		fprintf(to, "  %-6s %s\n", app_name(app), apps[app].operation);
	explain_method(res, to);
}
