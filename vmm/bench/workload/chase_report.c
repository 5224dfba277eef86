/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "bench/stats.h"
#include "bench/workload/chase_parts.h"

static const struct report_column columns[] = {
    {"pages", "pages", NULL, 0},
    {"page", "page", NULL, 0},
    {"environment", "run", NULL, 0},
    {"second_stage", "second stage", NULL, 0},
    {"walk_refs", "refs", NULL, REPORT_RANGE},
    {"walk", "a miss walks", NULL, 0},
    {"sparse", "sparse", "ns", 1},
    {"dense", "dense", "ns", 1},
    {"miss", "TLB miss", "ns", 1},
    {"miss_iqr", "IQR", "ns", 1},
    {"miss_ci_low", "95% from", "ns", 1},
    {"miss_ci_high", "to", "ns", 1},
    {"n", "n", NULL, 0},
};
static const struct report_plot plot = {
    .title = "What a TLB miss costs", .panel = "page", .line = "environment", .x = "pages", .y = "miss"};
static const struct report_layout layout = {"chase", columns, sizeof(columns) / sizeof(*columns), &plot};

static const struct report_column ratio_columns[] = {
    {"pages", "pages", NULL, 0},
    {"page", "page", NULL, 0},
    {"environment", "run", NULL, 0},
    {"second_stage", "second stage", NULL, 0},
    {"ratio", "miss / native miss", NULL, 2},
    {"ratio_ci_low", "95% from", NULL, 2},
    {"ratio_ci_high", "to", NULL, 2},
    {"n", "n", NULL, 0},
};
static const struct report_layout ratio_layout = {"chase-ratio", ratio_columns,
                                                  sizeof(ratio_columns) / sizeof(*ratio_columns), NULL};

static const char no_time[] = "no time to measure it often enough";

const char *chase_page_name(enum chase_page page)
{
	return page == CHASE_2M ? "2m" : "4k";
}

static bool takes_part(const struct chase_results *res, enum bench_where w)
{
	return res->plan->where >> w & 1;
}

bool chase_was_measured(const struct chase_results *res, size_t i)
{
	return res->rounds[i] >= (res->plan->seconds > 0 ? CHASE_FEWEST_LARGEST : 1);
}

/* The miss cost of each round; the caller frees. NULL: no memory. */
static double *miss_costs(const struct chase_series *s, int n)
{
	double *miss = calloc(n, sizeof(*miss));

	for (int i = 0; miss && i < n; i++)
		miss[i] = s->sparse[i] - s->dense[i];
	return miss;
}

static int set_samples(struct report *t, const struct chase_series *s, int n)
{
	struct stats_summary sparse, dense, miss;
	double *costs = miss_costs(s, n);
	int r = costs ? stats_summarise(s->sparse, n, STATS_SEED, &sparse) : -ENOMEM;

	if (r == 0)
		r = stats_summarise(s->dense, n, STATS_SEED, &dense);
	if (r == 0)
		r = stats_summarise(costs, n, STATS_SEED, &miss);
	free(costs);
	if (r < 0)
		return r;
	report_set_number(t, "sparse", sparse.median);
	report_set_number(t, "dense", dense.median);
	report_set_number(t, "miss", miss.median);
	report_set_number(t, "miss_iqr", miss.iqr);
	report_set_interval(t, "miss", miss.ci_low, miss.ci_high);
	report_set_number(t, "n", n);
	return 0;
}

/* What row number `row` is about, neighbours being those to be compared. */
struct entry {
	enum bench_where where;
	enum chase_page page;
	size_t size; /* which number of pages */
};

static struct entry entry_of(const struct chase_results *res, size_t row)
{
	return (struct entry){row % BENCH_NR_WHERE, row / BENCH_NR_WHERE / res->nr_sizes,
	                      row / BENCH_NR_WHERE % res->nr_sizes};
}

static size_t nr_entries(const struct chase_results *res)
{
	return BENCH_NR_WHERE * res->nr_sizes * CHASE_NR_PAGES;
}

/* The cells that say what a row is about. */
static void begin_row(struct report *t, const struct chase_results *res, enum bench_where w, enum chase_page page,
                      size_t i)
{
	report_row(t);
	report_set_number(t, "pages", res->pages[i]);
	report_set_text(t, "page", chase_page_name(page));
	report_set_text(t, "environment", bench_environments[w].name);
	report_set_text(t, "second_stage", host_second_stage_label(res->plan->host));
}

/* Where there are none, they are left to the row's reason, if it has one. */
static void set_refs(struct report *t, const struct chase_results *res, enum bench_where w, enum chase_page page,
                     size_t i)
{
	const struct chase_refs *guest = &res->series[w][page][i].refs;
	const int native = bench_native_refs(res->plan->host, page == CHASE_2M);

	if (w == BENCH_NATIVE)
		report_set_range(t, "walk_refs", native, native);
	else if (guest->high)
		report_set_range(t, "walk_refs", guest->low, guest->high);
	else if (!*res->na[w][page] && chase_was_measured(res, i))
		report_set_na(t, "walk_refs", "the guest was not told: the second stage is not known");
}

static int add_row(struct report *t, const void *results, size_t row)
{
	const struct chase_results *res = results;
	const struct entry e = entry_of(res, row);
	const enum bench_where w = e.where;
	const enum chase_page page = e.page;
	const size_t i = e.size;
	const struct chase_series *s = &res->series[w][page][i];
	const char *na = res->na[w][page];

	if (!takes_part(res, w))
		return 0;
	begin_row(t, res, w, page, i);
	report_set_text(t, "walk", bench_walk_words(res->plan->host, w));
	set_refs(t, res, w, page, i);
	if (*na || !chase_was_measured(res, i) || bench_times_na(res->plan->host)) {
		report_set_rest_na(t, *na                           ? na
		                      : !chase_was_measured(res, i) ? no_time
		                                                    : bench_times_na(res->plan->host));
		return 0;
	}
	return set_samples(t, s, res->rounds[i]);
}

/* Keeps the pairs of which both are positive, the only ones with a ratio; their number. */
static int keep_positive(double *a, double *b, int n)
{
	int kept = 0;

	for (int i = 0; i < n; i++) {
		if (a[i] <= 0 || b[i] <= 0)
			continue;
		a[kept] = a[i];
		b[kept++] = b[i];
	}
	return kept;
}

int chase_miss_ratio(const struct chase_results *res, enum bench_where w, enum chase_page page, size_t i,
                     struct stats_ratio *ret)
{
	const int n = res->rounds[i];
	double *a, *b;
	int r = -ENOMEM;

	if (*res->na[w][page] || *res->na[BENCH_NATIVE][page] || bench_times_na(res->plan->host))
		return -ENODATA;
	if (!chase_was_measured(res, i))
		return -ETIME;
	a = miss_costs(&res->series[w][page][i], n);
	b = miss_costs(&res->series[BENCH_NATIVE][page][i], n);
	if (a && b) {
		const int kept = keep_positive(a, b, n);

		r = kept * 4 < n * 3 ? -EINVAL : stats_paired_ratio(a, b, kept, STATS_SEED, ret);
	}
	free(a);
	free(b);
	return r;
}

static const char *ratio_words(int r)
{
	switch (r) {
	case -ENODATA:
		return "one of the two was not measured";
	case -ETIME:
		return no_time;
	default:
		return "in more than a quarter of the rounds the sparse chase was no slower than the dense one";
	}
}

static int add_ratio(struct report *t, const void *results, size_t row)
{
	const struct chase_results *res = results;
	const struct entry e = entry_of(res, row);
	struct stats_ratio ratio;
	int r;

	if (e.where == BENCH_NATIVE || !takes_part(res, e.where))
		return 0;
	r = chase_miss_ratio(res, e.where, e.page, e.size, &ratio);
	if (r == -ENOMEM)
		return r;
	begin_row(t, res, e.where, e.page, e.size);
	if (r < 0) {
		report_set_rest_na(t,
		                   bench_times_na(res->plan->host) ? bench_times_na(res->plan->host) : ratio_words(r));
		return 0;
	}
	report_set_number(t, "n", ratio.n);
	report_set_ratio(t, "ratio", &ratio);
	return 0;
}

int chase_report(const void *results, struct report **ret_table)
{
	return report_build(&layout, results, nr_entries(results), add_row, ret_table);
}

int chase_ratio_report(const void *results, struct report **ret_table)
{
	return report_build(&ratio_layout, results, nr_entries(results), add_ratio, ret_table);
}
