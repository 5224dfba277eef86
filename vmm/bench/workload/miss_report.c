/* SPDX-License-Identifier: MIT */
#include "bench/stats.h"
#include "bench/workload/miss.h"

#define NO_DIFFERENCE 0.05 /* half of an interval by which 1 is the answer */

static const struct report_column columns[] = {
    {"pages", "pages", NULL, 0},
    {"mapping", "guest on host", NULL, 0},
    {"environment", "run", NULL, 0},
    {"second_stage", "second stage", NULL, 0},
    {"walk_refs", "refs", NULL, REPORT_RANGE},
    {"walk", "a miss walks", NULL, 0},
    {"load", "load", "ns", 2},
    {"load_ci_low", "95% from", "ns", 2},
    {"load_ci_high", "to", "ns", 2},
    {"load_p99", "p99", "ns", 2},
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
static const struct report_plot plot = {.title = "A load that misses the TLB",
                                        .panel = "mapping",
                                        .line = "environment",
                                        .x = "pages",
                                        .y = "load",
                                        .undrawn = miss_undrawn};
static const struct report_layout layout = {"miss", columns, sizeof(columns) / sizeof(*columns), &plot};

/* Rows are numbered by mapping, within each by number of pages, within each by environment. */
struct entry {
	size_t mapping, size;
	enum miss_who who;
};

static struct entry entry_of(size_t row)
{
	return (struct entry){row / MISS_NR_WHO / MISS_MAX_RINGS, row / MISS_NR_WHO % MISS_MAX_RINGS,
	                      row % MISS_NR_WHO};
}

static int add_row(struct report *t, const void *results, size_t row)
{
	const struct miss_results *res = results;
	const struct entry e = entry_of(row);
	const struct miss_request *q = &res->request[e.mapping];

	if (q->kind == ARENA_APART || e.size >= q->nr_rings || !((q->who | q->unable) >> e.who & 1))
		return 0;
	report_row(t);
	miss_set_place(t, res->plan->host, q, e.size, e.who);
	if (q->unable >> e.who & 1)
		report_set_rest_na(t, miss_unable_words);
	else if (*res->na[e.mapping])
		report_set_rest_na(t, res->na[e.mapping]);
	else
		return miss_set_samples(t, res->plan->host, q, e.size, e.who);
	return 0;
}

int miss_report(const void *results, struct report **ret_table)
{
	const struct miss_results *res = results;

	return report_build(&layout, results, res->nr * MISS_MAX_RINGS * MISS_NR_WHO, add_row, ret_table);
}

/* How often the method finds no difference where there is none. */
static void explain_itself(const struct miss_request *q, FILE *to)
{
	const struct miss_samples *s = q->samples;
	unsigned rows = 0, held = 0;

	miss_count_again(q, &rows, &held);
	fprintf(to, "  Of %u environments compared with themselves, %u agree.\n", rows, held);
	if (s->seconds > 0)
		fprintf(to,
		        "  Of the time, %.1f %% went to loads that are timed, %.1f %% to those before them and the way "
		        "to them, "
		        "and %.1f %% to the benchmark.\n",
		        100 * s->timed / s->seconds, 100 * (s->in_blocks - s->timed) / s->seconds,
		        100 * (1 - s->in_blocks / s->seconds));
	if (q->samples->jumps)
		fprintf(to, "  %u turns were taken anew: the TSC and the host's clock did not agree.\n",
		        q->samples->jumps);
}

static void explain_method(const struct miss_request *q, FILE *to)
{
	char words[MISS_MAPPING_WORDS];
	double precision;

	if (miss_precision(q, q->samples->turns, &precision) < 0)
		return;
	if (q->samples->turns < STATS_FEWEST) {
		fprintf(to, "With %s, %u turns are too few for intervals.\n", miss_mapping_words(q, words),
		        q->samples->turns);
		return;
	}
	fprintf(to, "With %s, the widest interval of a ratio is +-%.1f %% after %u turns%s.\n",
	        miss_mapping_words(q, words), 100 * precision, q->samples->turns,
	        precision <= q->precision ? ""
	        : q->samples->turns < q->turns
	            ? ": wider than wanted (--precision), the host was too busy or the time too short "
	              "(--max-time)"
	            : ": wider than wanted (--precision), and no more turns were");
	explain_itself(q, to);
}

/* What the interval says; one that is wide holds 1, and much else. */
static const char *verdict_of(const struct stats_ratio *ratio)
{
	if (ratio->n < STATS_FEWEST)
		return "too few turns to tell";
	if (ratio->ci_low > 1)
		return "longer";
	if (ratio->ci_high < 1)
		return "less long";
	return (ratio->ci_high - ratio->ci_low) / 2 <= NO_DIFFERENCE ? "no difference"
	                                                             : "the interval is too wide to tell";
}

/* What a load takes in a process: of the largest ring, and of the smallest, which the TLB holds. */
static void find_native(const struct miss_request *q, FILE *to)
{
	const size_t last = q->nr_rings - 1;
	char words[MISS_MAPPING_WORDS];
	struct stats_summary large, small;

	if (stats_summarise(q->samples->series[last].ns[MISS_NATIVE], q->samples->turns, STATS_SEED, &large) < 0 ||
	    stats_summarise(q->samples->series[0].ns[MISS_NATIVE], q->samples->turns, STATS_SEED, &small) < 0)
		return;
	fprintf(to, "In a process of the host a load takes %.1f ns in %u pages of %s", large.median,
	        q->ring[last].pages, miss_mapping_name(q, words));
	if (last)
		fprintf(to, ", and %.1f ns in %u", small.median, q->ring[0].pages);
	fputs(".\n", to);
}

/* Of the largest ring of the first mapping. */
void miss_find(const void *results, FILE *to)
{
	const struct miss_results *res = results;
	const struct miss_request *q = &res->request[0];
	const size_t ring = q->nr_rings - 1;
	char words[STATS_WORDS];
	struct stats_ratio ratio;

	if (!res->nr || *res->na[0])
		return;
	find_native(q, to);
	for (unsigned who = 0; who < MISS_NR_WHO; who++) {
		if (miss_who[who].again || miss_who[who].where == BENCH_NATIVE || !(q->who >> who & 1) ||
		    miss_ratio(q, ring, who, q->samples->turns, &ratio) < 0)
			continue;
		fprintf(to, "In %s mode a load in %u pages takes %.3f times as long (%s): %s. A miss there walks %s.\n",
		        miss_who[who].name, q->ring[ring].pages, ratio.median,
		        stats_interval(ratio.ci_low, ratio.ci_high, 3, words), verdict_of(&ratio),
		        bench_walk_words(res->plan->host, miss_who[who].where));
	}
}

void miss_explain(const void *results, FILE *to)
{
	const struct miss_results *res = results;
	const size_t apart = miss_apart(res);

	if (!miss_any(res))
		return;
	fputs(
	    "A load is one step of a random chase through one line in each page. All environments chase\n"
	    "through the same physical lines, in turns of 2 ms and a random order, after loads that are not timed.\n"
	    "Ratios are taken turn by turn. \"native again\" is the native chase once more: its ratio shows what the\n"
	    "method makes of no difference. \"reference\" is a loop written by hand: native's ratio is what the chase "
	    "adds.\n"
	    "\"4k on thp\": the guest maps pages of 4 KiB, the host has THP behind them, and a process has these alone.\n",
	    to);
	if (apart < res->nr && !*res->na[apart])
		miss_explain_levels(&res->request[apart], to);
	for (size_t i = 0; i < res->nr; i++)
		if (!*res->na[i])
			explain_method(&res->request[i], to);
}
