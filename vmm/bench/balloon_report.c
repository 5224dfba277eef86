/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <math.h>
#include <string.h>

#include "bench/balloon_parts.h"
#include "bench/stats.h"

#define GIB 0x1p30

static const struct report_column columns[] = {
    {"operation", "operation", NULL, 0},
    {"environment", "run", NULL, 0},
    {"backing", "backing", NULL, 0},
    {"second_stage", "second stage", NULL, 0},
    {"time", "time", "us", 3},
    {"time_iqr", "IQR", "us", 3},
    {"rate", "rate", "GiB/s", 2},
    {"of_native", "of native rate", NULL, 2},
    {"of_native_ci_low", "95% from", NULL, 2},
    {"of_native_ci_high", "to", NULL, 2},
    {"floors", "floors", NULL, 2},
    {"exits", "exits/op", NULL, 5},
    {"bar", "bar", NULL, 0},
    {"n", "n", NULL, 0},
};

int balloon_find(const struct cost_results *res, const char *row, enum bench_where where, bool thp, size_t *ret_i)
{
	for (size_t i = 0; i < res->plan->nr_cases; i++) {
		const struct cost_case *c = cost_case_of(res, i);

		if (c->where != where || c->thp != thp || strcmp(c->row, row) != 0)
			continue;
		*ret_i = i;
		return 0;
	}
	return -ENOENT;
}

bool balloon_has(const struct cost_results *res, size_t i)
{
	return cost_takes_part(res, i) && !*res->series[i].na;
}

int balloon_time_ratio(const struct cost_results *res, size_t a, size_t b, struct stats_ratio *ret_ratio)
{
	if (!balloon_has(res, a) || !balloon_has(res, b))
		return -ENODATA;
	return stats_paired_ratio(res->series[a].us, res->series[b].us, res->plan->rounds, STATS_SEED, ret_ratio);
}

int balloon_of_native(const struct cost_results *res, size_t i, struct stats_ratio *ret_ratio)
{
	size_t native;
	int r = balloon_find(res, cost_case_of(res, i)->row, BENCH_NATIVE, cost_case_of(res, i)->thp, &native);

	return r < 0 ? r : balloon_time_ratio(res, native, i, ret_ratio);
}

static void set_bar(struct report *t, const struct cost_case *c)
{
	char text[64] = "-";

	if (c->native_bar > 0)
		snprintf(text, sizeof(text), "%.2f of native", c->native_bar);
	if (c->exits_bar > 0)
		snprintf(text, sizeof(text), "1 exit for %.0f", 1 / c->exits_bar);
	report_set_text(t, "bar", text);
}

/* `r` says why there is no ratio, if there is none. */
static void set_of_native(struct report *t, int r, const struct stats_ratio *ratio)
{
	static const char *const names[] = {"of_native", "of_native_ci_low", "of_native_ci_high"};
	const char *why =
	    r == -ENODATA ? "the native row was not measured" : "a process of the host does nothing of this kind";

	for (int i = 0; r < 0 && i < 3; i++)
		report_set_na(t, names[i], why);
	if (r < 0)
		return;
	report_set_number(t, "of_native", ratio->median);
	report_set_number(t, "of_native_ci_low", ratio->ci_low);
	report_set_number(t, "of_native_ci_high", ratio->ci_high);
}

static int set_figures(struct report *t, const struct cost_results *res, size_t i)
{
	const struct cost_case *c = cost_case_of(res, i);
	const struct cost_series *s = &res->series[i];
	struct stats_summary time;
	struct stats_ratio ratio;
	int r = stats_summarise(s->us, res->plan->rounds, STATS_SEED, &time);

	if (r < 0)
		return r;
	report_set_number(t, "time", time.median);
	report_set_number(t, "time_iqr", time.iqr);
	report_set_number(t, "n", res->plan->rounds);
	if (c->bytes)
		report_set_number(t, "rate", c->bytes / GIB / (time.median / 1e6));
	else
		report_set_na(t, "rate", "it is no move of memory alone");
	r = c->where == BENCH_NATIVE ? -ENOENT : balloon_of_native(res, i, &ratio);
	if (r < 0 && r != -ENOENT && r != -ENODATA)
		return r;
	set_of_native(t, r, &ratio);
	if (c->where == BENCH_NATIVE) {
		report_set_na(t, "exits", "a process of the host exits to nobody");
		report_set_na(t, "floors", "a process of the host exits to nobody");
		return 0;
	}
	report_set_number(t, "exits", s->exits);
	r = stats_paired_ratio(s->us, s->floor_us, res->plan->rounds, STATS_SEED, &ratio);
	if (r == 0)
		report_set_number(t, "floors", ratio.median);
	return r;
}

static int add_row(struct report *t, const struct cost_results *res, size_t i)
{
	static const char *const measured[] = {
	    "time", "time_iqr", "rate", "of_native", "of_native_ci_low", "of_native_ci_high", "floors", "exits", "n"};
	const struct cost_case *c = cost_case_of(res, i);

	report_row(t);
	report_set_text(t, "operation", c->row);
	report_set_text(t, "environment", bench_environments[c->where].name);
	report_set_text(t, "backing", c->thp ? "thp" : "4k");
	report_set_text(t, "second_stage", host_second_stage_label(res->host));
	set_bar(t, c);
	if (!*res->series[i].na)
		return set_figures(t, res, i);
	for (size_t k = 0; k < sizeof(measured) / sizeof(*measured); k++)
		report_set_na(t, measured[k], res->series[i].na);
	return 0;
}

int balloon_report(const struct cost_results *res, struct report **ret_table)
{
	struct report *t = report_new("balloon", columns, sizeof(columns) / sizeof(*columns));
	int r = t ? 0 : -ENOMEM;

	for (size_t i = 0; r == 0 && i < res->plan->nr_cases; i++)
		if (cost_takes_part(res, i))
			r = add_row(t, res, i);
	if (r == 0)
		*ret_table = t;
	else
		report_free(t);
	return r;
}
