/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <math.h>
#include <string.h>

#include "bench/stats.h"
#include "bench/workload/turn.h"
#include "bench/workload/nano.h"

static const struct report_column columns[] = {
    {"operation", "operation", NULL, 0},
    {"environment", "run", NULL, 0},
    {"options", "shadow options", NULL, 0},
    {"second_stage", "second stage", NULL, 0},
    {"time", "time", "us", 4},
    {"time_ci_low", "95% from", "us", 4},
    {"time_ci_high", "to", "us", 4},
    {"cycles", "TSC", "cycles", 1},
    {"floors", "floors", NULL, 2},
    {"floors_ci_low", "95% from", NULL, 2},
    {"floors_ci_high", "to", NULL, 2},
    {"exits", "exits/op", NULL, 3},
    {"shadow_events", "shadow events/op", NULL, 3},
    {"pages_built", "pages built/op", NULL, 3},
    {"ratio", "by nested", NULL, 4},
    {"ratio_ci_low", "95% from", NULL, 4},
    {"ratio_ci_high", "to", NULL, 4},
    {"noise", "noise", NULL, 0},
    {"n", "n", NULL, 0},
};
static const struct report_layout layout = {"nano", columns, sizeof(columns) / sizeof(*columns), NULL};

int nano_find_case(const struct op_results *res, const char *row, enum bench_where where, size_t *ret_i)
{
	for (size_t i = 0; i < res->set->nr_cases; i++) {
		if (op_case_of(res, i)->where == where && strcmp(op_case_of(res, i)->row, row) == 0) {
			*ret_i = i;
			return 0;
		}
	}
	return -ENOENT;
}

static int set_ratio(struct report *t, const struct op_results *res, size_t i)
{
	struct stats_ratio ratio;
	size_t nested;
	int r;

	if (op_case_of(res, i)->where == BENCH_NESTED)
		return 0;
	r = nano_find_case(res, op_case_of(res, i)->row, BENCH_NESTED, &nested);
	if (r == 0)
		r = op_time_ratio(res, i, nested, &ratio);
	if (r == 0)
		report_set_ratio(t, "ratio", &ratio);
	else if (r == -ENODATA)
		report_set_na(t, "ratio", "nested was not measured");
	return r == -ENODATA ? 0 : r;
}

static int set_times(struct report *t, const struct op_results *res, size_t i)
{
	const struct op_series *s = &res->series[i];
	const int n = res->plan->rounds;
	struct stats_summary time;
	struct stats_ratio floors;
	int r = stats_summarise(s->us, n, STATS_SEED, &time);

	if (r == 0)
		r = stats_paired_ratio(s->us, s->floor_us, n, STATS_SEED, &floors);
	if (r == 0)
		r = set_ratio(t, res, i);
	if (r < 0)
		return r;
	report_set_number(t, "time", time.median);
	report_set_interval(t, "time", time.ci_low, time.ci_high);
	report_set_number(t, "cycles", time.median * res->tsc_mhz);
	if (op_case_of(res, i)->where != BENCH_NATIVE)
		report_set_ratio(t, "floors", &floors);
	turn_set_noise(t, &time, 0, NAN);
	report_set_number(t, "n", n);
	return 0;
}

static int add_row(struct report *t, const void *results, size_t i)
{
	const struct op_results *res = results;
	const struct op_case *c = op_case_of(res, i);
	char list[OP_MAX_OPTIONS], words[OP_MAX_OPTIONS];
	int r = 0;

	if (!op_takes_part(res, i))
		return 0;
	op_options(c->without, c->with, list, words);
	report_row(t);
	report_set_text(t, "operation", c->row);
	report_set_text(t, "environment", bench_environments[c->where].name);
	report_set_text(t, "options", c->where == BENCH_SHADOW ? words : "-");
	report_set_text(t, "second_stage", host_second_stage_label(res->plan->host));
	if (*res->series[i].na) {
		report_set_rest_na(t, res->series[i].na);
		return 0;
	}
	op_set_counts(t, res, i);
	op_set_pages_built(t, res, i);
	if (op_has_times(res, i))
		r = set_times(t, res, i);
	else
		report_set_rest_na(t, bench_times_na(res->plan->host));
	if (r == 0)
		report_set_rest_na(t, "it means nothing for this row");
	return r;
}

int nano_report(const void *results, struct report **ret_table)
{
	return report_build(&layout, results, op_nr(results), add_row, ret_table);
}
