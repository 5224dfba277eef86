/* SPDX-License-Identifier: MIT */
#include "bench/stats.h"
#include "bench/workload/miss.h"

static const struct report_column columns[] = {
    {"pages", "pages", NULL, 0},
    {"page", "page", NULL, 0},
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
    {"disturbed", "disturbed", NULL, 0},
    {"n", "turns", NULL, 0},
};
static const struct report_plot plot = {
    .title = "A load that misses the TLB", .panel = "page", .line = "environment", .x = "pages", .y = "load"};
static const struct report_layout layout = {"miss", columns, sizeof(columns) / sizeof(*columns), &plot};

/* Rows are numbered by page size, within each by number of pages, within each by environment. */
struct entry {
	enum arena_kind page;
	size_t size;
	enum miss_who who;
};

static struct entry entry_of(const struct miss_results *res, size_t row)
{
	const size_t nr = res->request[0].nr_rings;

	return (struct entry){row / MISS_NR_WHO / nr, row / MISS_NR_WHO % nr, row % MISS_NR_WHO};
}

static int add_row(struct report *t, const void *results, size_t row)
{
	const struct miss_results *res = results;
	const struct entry e = entry_of(res, row);
	const struct miss_request *q = &res->request[e.page];

	if (!(q->who >> e.who & 1))
		return 0;
	report_row(t);
	report_set_number(t, "pages", q->ring[e.size].pages);
	report_set_text(t, "page", e.page == ARENA_HUGE ? "2m" : "4k");
	report_set_text(t, "environment", miss_who[e.who].name);
	report_set_text(t, "second_stage", host_second_stage_label(res->plan->host));
	report_set_text(t, "walk", bench_walk_words(res->plan->host, miss_who[e.who].where));
	if (!*res->na[e.page])
		return miss_set_samples(t, res->plan->host, q, e.size, e.who);
	report_set_rest_na(t, res->na[e.page]);
	return 0;
}

int miss_report(const void *results, struct report **ret_table)
{
	const struct miss_results *res = results;

	return report_build(&layout, results, ARENA_APART * res->request[0].nr_rings * MISS_NR_WHO, add_row, ret_table);
}

/* How often the method finds no difference where there is none. */
static void explain_itself(const struct miss_request *q, FILE *to)
{
	unsigned rows = 0, held = 0;

	for (size_t ring = 0; ring < q->nr_rings; ring++) {
		for (int who = 0; who < MISS_NR_WHO; who++) {
			struct stats_ratio ratio;

			if (!miss_who[who].again || !(q->who >> who & 1) ||
			    miss_ratio(q, ring, who, q->samples->turns, &ratio) < 0)
				continue;
			rows++;
			held += ratio.ci_low <= 1 && 1 <= ratio.ci_high;
		}
	}
	fprintf(
	    to,
	    "  Of %u environments compared with themselves, %u agree. Outside of blocks went %.1f %% of the time.\n",
	    rows, held, 100 * (1 - q->samples->in_blocks / q->samples->seconds));
	if (q->samples->jumps)
		fprintf(to, "  %u turns were taken anew: the TSC and the host's clock did not agree.\n",
		        q->samples->jumps);
}

static void explain_method(const struct miss_request *q, FILE *to)
{
	double precision;

	if (miss_precision(q, q->samples->turns, &precision) < 0)
		return;
	fprintf(to, "With %s, the widest interval of a ratio is +-%.1f %% after %u turns%s.\n",
	        miss_kind_words[q->kind], 100 * precision, q->samples->turns,
	        precision <= q->precision
	            ? ""
	            : ": wider than wanted (--precision), the host was too busy or the time too short "
	              "(--max-time)");
	explain_itself(q, to);
}

/* Of the largest ring with 4 KiB pages. */
void miss_find(const void *results, FILE *to)
{
	const struct miss_results *res = results;
	const struct miss_request *q = &res->request[ARENA_SMALL];
	const size_t ring = q->nr_rings - 1;
	struct stats_ratio ratio;

	if (*res->na[ARENA_SMALL])
		return;
	for (unsigned who = 0; who < MISS_NR_WHO; who++) {
		if (miss_who[who].again || miss_who[who].where == BENCH_NATIVE || !(q->who >> who & 1) ||
		    miss_ratio(q, ring, who, q->samples->turns, &ratio) < 0)
			continue;
		fprintf(to,
		        "A load that misses the TLB takes %.3f times as long in %s mode as in a process of the host "
		        "(95%% interval %.3f to %.3f, %u pages of 4 KiB): %s. A miss there walks %s.\n",
		        ratio.median, miss_who[who].name, ratio.ci_low, ratio.ci_high, q->ring[ring].pages,
		        ratio.ci_low > 1    ? "longer"
		        : ratio.ci_high < 1 ? "less long"
		                            : "no difference",
		        bench_walk_words(res->plan->host, miss_who[who].where));
	}
}

void miss_explain(const void *results, FILE *to)
{
	const struct miss_results *res = results;
	bool measured = false;

	for (int kind = 0; kind < ARENA_NR_KINDS; kind++)
		measured |= !*res->na[kind];
	if (!measured)
		return;
	fputs(
	    "A load is one step of a random chase through one line in each page. All environments chase\n"
	    "through the same physical lines, in turns of 2 ms and a random order, after loads that are not timed.\n"
	    "Ratios are taken turn by turn. \"native again\" is the native chase once more: its ratio shows what the\n"
	    "method makes of no difference. 4 KiB pages have 4 KiB pages of the host behind them, 2 MiB pages such of "
	    "2 MiB.\n",
	    to);
	if (!*res->na[ARENA_APART])
		miss_explain_levels(&res->request[ARENA_APART], to);
	for (int kind = 0; kind < ARENA_NR_KINDS; kind++)
		if (!*res->na[kind])
			explain_method(&res->request[kind], to);
}
