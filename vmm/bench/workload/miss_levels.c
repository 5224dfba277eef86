/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdlib.h>

#include "bench/stats.h"
#include "bench/workload/miss.h"

static const struct report_column columns[] = {
    {"caches", "caches", NULL, 0},
    {"environment", "run", NULL, 0},
    {"stride", "a page each", NULL, 0},
    {"second_stage", "second stage", NULL, 0},
    {"walk_refs", "refs", NULL, REPORT_RANGE},
    {"walk", "a miss walks", NULL, 0},
    {"load", "load", "ns", 2},
    {"load_ci_low", "95% from", "ns", 2},
    {"load_ci_high", "to", "ns", 2},
    {"load_p99", "p99", "ns", 2},
    {"step", "more", "ns", 2},
    {"step_ci_low", "95% from", "ns", 2},
    {"step_ci_high", "to", "ns", 2},
    {"ratio_to", "ratio to", NULL, 0},
    {"ratio", "ratio", NULL, 3},
    {"ratio_ci_low", "95% from", NULL, 3},
    {"ratio_ci_high", "to", NULL, 3},
    {"exits_load", "exits/load", NULL, 6},
    {"shadow_events_load", "shadow events/load", NULL, 6},
    {"dtlb_load", "dTLB misses/load", NULL, 3},
    {"disturbed", "disturbed", NULL, 0},
    {"stolen", "stolen", "percent", 1},
    {"noise", "noise", NULL, 0},
    {"n", "turns", NULL, 0},
};
static const struct report_plot plot = {.title = "What each level of a walk costs",
                                        .panel = "caches",
                                        .line = "environment",
                                        .x = "stride",
                                        .y = "load",
                                        .undrawn = miss_undrawn};
static const struct report_layout layout = {"levels", columns, sizeof(columns) / sizeof(*columns), &plot};

static const struct {
	const char *name, *entry; /* `entry`: of which each page has one of its own */
} strides[ARENA_NR_STRIDES] = {[ARENA_4K] = {"4k", NULL},
                               [ARENA_2M] = {"2m", "PDE"},
                               [ARENA_1G] = {"1g", "PDPTE"},
                               [ARENA_512G] = {"512g", "PML4E"}};

/* Rows are numbered by warm and cold, within each by environment, within each by stride, as rings are but for the second. */
struct entry {
	size_t ring;
	enum miss_who who;
};

static struct entry entry_of(size_t row)
{
	const size_t stride = row % ARENA_NR_STRIDES, cold = row / ARENA_NR_STRIDES / MISS_NR_WHO;

	return (struct entry){cold * ARENA_NR_STRIDES + stride, row / ARENA_NR_STRIDES % MISS_NR_WHO};
}

/* What a load takes more than one of the stride before, turn by turn. */
static int summarise_step(const struct miss_request *q, size_t ring, enum miss_who who, struct stats_summary *ret)
{
	const double *ns = q->samples->series[ring].ns[who], *before = q->samples->series[ring - 1].ns[who];
	const uint32_t turns = q->samples->turns;
	double *more = malloc(turns * sizeof(*more));
	int r;

	if (!more)
		return -ENOMEM;
	for (uint32_t n = 0; n < turns; n++)
		more[n] = ns[n] - before[n];
	r = stats_summarise(more, turns, STATS_SEED, ret);
	free(more);
	return r;
}

static const char *const step_columns[] = {"step", "step_ci_low", "step_ci_high"};

static int set_step(struct report *t, const struct miss_request *q, size_t ring, enum miss_who who)
{
	struct stats_summary step;
	int r;

	if (q->ring[ring].stride == 0) {
		for (size_t i = 0; i < sizeof(step_columns) / sizeof(*step_columns); i++)
			report_set_na(t, step_columns[i], "it is what the next stride is compared with");
		return 0;
	}
	r = summarise_step(q, ring, who, &step);
	if (r < 0)
		return r;
	report_set_number(t, "step", step.median);
	report_set_interval(t, "step", step.ci_low, step.ci_high);
	return 0;
}

static int add_row(struct report *t, const void *results, size_t row)
{
	const struct miss_results *res = results;
	const size_t apart = miss_apart(res);
	const struct miss_request *q = &res->request[apart];
	const struct entry e = entry_of(row);
	int r;

	if (!(q->who >> e.who & 1))
		return 0;
	report_row(t);
	report_set_text(t, "caches", q->ring[e.ring].cold ? "cold" : "warm");
	report_set_text(t, "environment", miss_who[e.who].name);
	report_set_text(t, "stride", strides[q->ring[e.ring].stride].name);
	report_set_text(t, "second_stage", host_second_stage_label(res->plan->host));
	report_set_text(t, "walk", bench_walk_words(res->plan->host, miss_who[e.who].where));
	if (*res->na[apart]) {
		report_set_rest_na(t, res->na[apart]);
		return 0;
	}
	r = miss_set_samples(t, res->plan->host, q, e.ring, e.who);
	return r < 0 ? r : set_step(t, q, e.ring, e.who);
}

int miss_levels(const void *results, struct report **ret_table)
{
	const struct miss_results *res = results;
	const size_t rows = 2 * ARENA_NR_STRIDES * MISS_NR_WHO;

	if (miss_apart(res) == res->nr)
		return 0;
	return report_build(&layout, results, rows, add_row, ret_table);
}

static void explain_environment(const struct miss_request *q, enum miss_who who, FILE *to)
{
	struct stats_summary step;

	fprintf(to, "  %-6s ", miss_who[who].name);
	for (size_t ring = 1; ring < ARENA_NR_STRIDES; ring++)
		if (summarise_step(q, ring, who, &step) == 0)
			fprintf(to, "  %s %.1f (%.1f to %.1f)", strides[q->ring[ring].stride].entry, step.median,
			        step.ci_low, step.ci_high);
	fputc('\n', to);
}

void miss_explain_levels(const struct miss_request *q, FILE *to)
{
	fprintf(to,
	        "The same %u pages lie side by side (4k), and with one in each 2 MiB, 1 GiB and 512 GiB of addresses: "
	        "each\n"
	        "stride gives every page an entry of its own one level higher, which the caches of the page walker do "
	        "not hold.\n"
	        "\"more\" is what that entry adds to a load. Cold: the caches of memory were swept before, so that "
	        "entries come "
	        "from\nmemory, and the line itself, too. What a level costs in ns, warm:\n",
	        q->ring[0].pages);
	for (int who = 0; who < MISS_NR_WHO; who++)
		if (!miss_who[who].again && who != MISS_REFERENCE && (q->who >> who & 1))
			explain_environment(q, who, to);
}
