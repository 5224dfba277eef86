/* SPDX-License-Identifier: MIT */
#include <math.h>

#include "bench/stats.h"
#include "bench/workload/miss.h"

static const struct report_column columns[] = {
    {"pages", "pages", NULL, 0},
    {"page", "page", NULL, 0},
    {"environment", "run", NULL, 0},
    {"second_stage", "second stage", NULL, 0},
    {"walk", "a miss walks", NULL, 0},
    {"load", "load", "ns", 2},
    {"load_ci_low", "95% from", "ns", 2},
    {"load_ci_high", "to", "ns", 2},
    {"load_p99", "p99", "ns", 2},
    {"ratio", "of native", NULL, 3},
    {"ratio_ci_low", "95% from", NULL, 3},
    {"ratio_ci_high", "to", NULL, 3},
    {"exits_load", "exits/load", NULL, 6},
    {"disturbed", "disturbed", NULL, 0},
    {"n", "turns", NULL, 0},
};
static const struct report_layout layout = {"miss", columns, sizeof(columns) / sizeof(*columns)};

const struct miss_who_is miss_who[MISS_NR_WHO] = {[MISS_NATIVE] = {"native", BENCH_NATIVE},
                                                  [MISS_AGAIN] = {"native again", BENCH_NATIVE},
                                                  [MISS_NESTED] = {"nested", BENCH_NESTED},
                                                  [MISS_SHADOW] = {"shadow", BENCH_SHADOW}};

int miss_precision(const struct miss_request *q, uint32_t turns, double *ret_precision)
{
	struct stats_ratio ratio;
	double widest = 0;

	for (size_t i = 0; i < q->nr_sizes; i++) {
		for (int who = MISS_AGAIN; who < MISS_NR_WHO; who++) {
			const struct miss_series *s = &q->samples->series[i];
			int r;

			if (!(q->who >> who & 1))
				continue;
			r = stats_paired_ratio(s->ns[who], s->ns[MISS_NATIVE], turns, STATS_SEED, &ratio);
			if (r < 0)
				return r;
			widest = fmax(widest, (ratio.ci_high - ratio.ci_low) / 2 / ratio.median);
		}
	}
	*ret_precision = widest;
	return 0;
}

/* Rows are numbered by page size, within each by number of pages, within each by environment. */
struct entry {
	enum miss_page page;
	size_t size;
	enum miss_who who;
};

static struct entry entry_of(const struct miss_results *res, size_t row)
{
	const size_t nr = res->request[0].nr_sizes;

	return (struct entry){row / MISS_NR_WHO / nr, row / MISS_NR_WHO % nr, row % MISS_NR_WHO};
}

static int set_samples(struct report *t, const struct miss_series *s, enum miss_who who, uint32_t turns)
{
	struct stats_summary ns;
	struct stats_ratio ratio;
	int r = stats_summarise(s->ns[who], turns, STATS_SEED, &ns);

	if (r == 0)
		r = stats_paired_ratio(s->ns[who], s->ns[MISS_NATIVE], turns, STATS_SEED, &ratio);
	if (r < 0)
		return r;
	report_set_number(t, "load", ns.median);
	report_set_number(t, "load_ci_low", ns.ci_low);
	report_set_number(t, "load_ci_high", ns.ci_high);
	report_set_number(t, "load_p99", ns.p99);
	if (who == MISS_NATIVE)
		report_set_na(t, "ratio", "it is what the others are compared with");
	else
		report_set_ratio(t, "ratio", &ratio);
	report_set_number(t, "exits_load", (double)s->exits[who] / s->loads[who]);
	report_set_number(t, "disturbed", s->disturbed[who]);
	report_set_number(t, "n", turns);
	return 0;
}

static int add_row(struct report *t, const void *results, size_t row)
{
	const struct miss_results *res = results;
	const struct entry e = entry_of(res, row);
	const struct miss_request *q = &res->request[e.page];
	int r = 0;

	if (!(q->who >> e.who & 1))
		return 0;
	report_row(t);
	report_set_number(t, "pages", q->pages[e.size]);
	report_set_text(t, "page", e.page == MISS_2M ? "2m" : "4k");
	report_set_text(t, "environment", miss_who[e.who].name);
	report_set_text(t, "second_stage", host_second_stage_label(res->plan->host));
	report_set_text(t, "walk", bench_walk_words(res->plan->host, miss_who[e.who].where));
	if (*res->na[e.page])
		report_set_rest_na(t, res->na[e.page]);
	else
		r = set_samples(t, &q->samples->series[e.size], e.who, q->samples->turns);
	return r;
}

int miss_report(const void *results, struct report **ret_table)
{
	const struct miss_results *res = results;

	return report_build(&layout, results, MISS_NR_PAGES * res->request[0].nr_sizes * MISS_NR_WHO, add_row,
	                    ret_table);
}

static void explain_precision(const struct miss_request *q, enum miss_page page, FILE *to)
{
	double precision;

	if (miss_precision(q, q->samples->turns, &precision) < 0)
		return;
	fprintf(to, "With %s pages, the widest interval of a ratio is +-%.1f %% after %u turns%s.\n",
	        page == MISS_2M ? "2 MiB" : "4 KiB", 100 * precision, q->samples->turns,
	        precision <= q->precision
	            ? ""
	            : ": wider than wanted (--precision), the host was too busy or the time too short "
	              "(--max-time)");
}

void miss_explain(const void *results, FILE *to)
{
	const struct miss_results *res = results;
	bool measured = false;

	for (int page = 0; page < MISS_NR_PAGES; page++)
		measured |= !*res->na[page];
	if (!measured)
		return;
	fputs(
	    "A load is one step of a random chase through one line in each page. All environments chase\n"
	    "through the same physical lines, in turns of 2 ms and a random order, after loads that are not timed.\n"
	    "Ratios are taken turn by turn. \"native again\" is the native chase once more: its ratio shows what the\n"
	    "method makes of no difference. 4 KiB pages have 4 KiB pages of the host behind them, 2 MiB pages such of "
	    "2 MiB.\n",
	    to);
	for (int page = 0; page < MISS_NR_PAGES; page++)
		if (!*res->na[page])
			explain_precision(&res->request[page], page, to);
}
