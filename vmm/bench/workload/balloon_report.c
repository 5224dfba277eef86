/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <math.h>
#include <string.h>

#include "bench/workload/balloon_parts.h"
#include "bench/stats.h"
#include "bench/workload/turn.h"

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
    {"shadow_events", "shadow events/op", NULL, 5},
    {"bar", "bar", NULL, 0},
    {"noise", "noise", NULL, 0},
    {"n", "n", NULL, 0},
};
static const struct report_layout layout = {"balloon", columns, sizeof(columns) / sizeof(*columns), NULL};

int balloon_find(const struct op_results *res, const char *row, enum bench_where where, bool thp, size_t *ret_i)
{
	for (size_t i = 0; i < res->set->nr_cases; i++) {
		const struct op_case *c = op_case_of(res, i);

		if (c->where != where || c->thp != thp || strcmp(c->row, row) != 0)
			continue;
		*ret_i = i;
		return 0;
	}
	return -ENOENT;
}

int balloon_of_native(const struct op_results *res, size_t i, struct stats_ratio *ret_ratio)
{
	size_t native;
	int r = balloon_find(res, op_case_of(res, i)->row, BENCH_NATIVE, op_case_of(res, i)->thp, &native);

	return r < 0 ? r : op_time_ratio(res, native, i, ret_ratio);
}

static void set_bar(struct report *t, const struct op_case *c)
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
	if (r == 0)
		report_set_ratio(t, "of_native", ratio);
	else
		report_set_rest_na(t, r == -ENODATA ? "the native row was not measured"
		                                    : "a process of the host does nothing of this kind");
}

static int set_figures(struct report *t, const struct op_results *res, size_t i)
{
	const struct op_case *c = op_case_of(res, i);
	const struct op_series *s = &res->series[i];
	struct stats_summary time;
	struct stats_ratio ratio;
	int r;

	op_set_counts(t, res, i);
	if (!op_has_times(res, i)) {
		report_set_rest_na(t, bench_times_na(res->plan->host));
		return 0;
	}
	r = stats_summarise(s->us, res->plan->rounds, STATS_SEED, &time);
	if (r < 0)
		return r;
	report_set_number(t, "time", time.median);
	report_set_number(t, "time_iqr", time.iqr);
	turn_set_noise(t, &time, 0, NAN);
	report_set_number(t, "n", res->plan->rounds);
	if (c->bytes)
		report_set_number(t, "rate", c->bytes / GIB / (time.median / 1e6));
	else
		report_set_na(t, "rate", "it is no move of memory alone");
	if (c->where == BENCH_NATIVE) {
		report_set_na(t, "floors", "a process of the host exits to nobody");
		report_set_rest_na(t, "it is the native rate itself");
		return 0;
	}
	r = stats_paired_ratio(s->us, s->floor_us, res->plan->rounds, STATS_SEED, &ratio);
	if (r < 0)
		return r;
	report_set_number(t, "floors", ratio.median);
	r = balloon_of_native(res, i, &ratio);
	if (r < 0 && r != -ENOENT && r != -ENODATA)
		return r;
	set_of_native(t, r, &ratio);
	return 0;
}

static int add_row(struct report *t, const void *results, size_t i)
{
	const struct op_results *res = results;
	const struct op_case *c = op_case_of(res, i);

	if (!op_takes_part(res, i))
		return 0;
	report_row(t);
	report_set_text(t, "operation", c->row);
	report_set_text(t, "environment", bench_environments[c->where].name);
	report_set_text(t, "backing", c->thp ? "thp" : "4k");
	report_set_text(t, "second_stage", host_second_stage_label(res->plan->host));
	set_bar(t, c);
	if (!*res->series[i].na)
		return set_figures(t, res, i);
	report_set_rest_na(t, res->series[i].na);
	return 0;
}

int balloon_report(const void *results, struct report **ret_table)
{
	return report_build(&layout, results, op_nr(results), add_row, ret_table);
}
