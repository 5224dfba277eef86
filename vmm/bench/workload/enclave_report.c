/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <math.h>
#include <string.h>

#include "bench/workload/enclave.h"
#include "bench/workload/turn.h"

static const struct report_column columns[] = {
    {"operation", "operation", NULL, 0},
    {"environment", "run", NULL, 0},
    {"monitor", "monitor", NULL, 0},
    {"second_stage", "second stage", NULL, 0},
    {"time", "time", "us", 3},
    {"time_iqr", "IQR", "us", 3},
    {"floors", "floors", NULL, 2},
    {"floors_ci_low", "95% from", NULL, 2},
    {"floors_ci_high", "to", NULL, 2},
    {"rate", "pages", "1/s", 0},
    {"of_blake2b", "of BLAKE2b", NULL, 3},
    {"of_blake2b_ci_low", "95% from", NULL, 3},
    {"of_blake2b_ci_high", "to", NULL, 3},
    {"exits", "exits/op", NULL, 3},
    {"shadow_events", "shadow events/op", NULL, 3},
    {"bar", "bar", NULL, 0},
    {"noise", "noise", NULL, 0},
    {"n", "n", NULL, 0},
};
static const struct report_layout layout = {"enclave", columns, sizeof(columns) / sizeof(*columns), NULL};

bool enclave_blake2b(const struct op_results *res, size_t i, size_t *ret_i)
{
	const struct op_case *c = op_case_of(res, i);
	const char *size = strrchr(c->row, '-');

	if (!c->bytes)
		return false;
	for (size_t n = 0; n < res->set->nr_cases; n++) {
		const struct op_case *other = op_case_of(res, n);

		if (other->where != BENCH_NATIVE || !strstr(other->row, "build") ||
		    strcmp(strrchr(other->row, '-'), size) != 0)
			continue;
		*ret_i = n;
		return n != i;
	}
	return false;
}

static void set_bar(struct report *t, const struct op_case *c)
{
	char text[64] = "-";

	if (c->floors_bar > 0)
		snprintf(text, sizeof(text), "%.2f floors", c->floors_bar);
	if (c->native_bar > 0)
		snprintf(text, sizeof(text), "%.2f of BLAKE2b", c->native_bar);
	report_set_text(t, "bar", text);
}

static int set_of_blake2b(struct report *t, const struct op_results *res, size_t i)
{
	struct stats_ratio ratio;
	size_t reference;
	int r;

	if (!enclave_blake2b(res, i, &reference))
		return 0;
	r = op_time_ratio(res, reference, i, &ratio);
	if (r == 0)
		report_set_ratio(t, "of_blake2b", &ratio);
	else if (r == -ENODATA)
		report_set_na(t, "of_blake2b", "BLAKE2b was not measured");
	return r == -ENODATA ? 0 : r;
}

static int set_floors(struct report *t, const struct op_results *res, size_t i)
{
	const struct op_series *s = &res->series[i];
	struct stats_ratio floors;
	int r;

	if (strstr(op_case_of(res, i)->row, "chase")) /* a load is no trap */
		return 0;
	r = stats_paired_ratio(s->us, s->floor_us, res->plan->rounds, STATS_SEED, &floors);
	if (r == 0)
		report_set_ratio(t, "floors", &floors);
	return r;
}

static int set_times(struct report *t, const struct op_results *res, size_t i)
{
	const struct op_case *c = op_case_of(res, i);
	struct stats_summary time;
	int r = stats_summarise(res->series[i].us, res->plan->rounds, STATS_SEED, &time);

	if (r == 0 && c->where != BENCH_NATIVE)
		r = set_floors(t, res, i);
	if (r == 0)
		r = set_of_blake2b(t, res, i);
	if (r < 0)
		return r;
	report_set_number(t, "time", time.median);
	report_set_number(t, "time_iqr", time.iqr);
	turn_set_noise(t, &time, 0, NAN);
	report_set_number(t, "n", res->plan->rounds);
	if (c->bytes)
		report_set_number(t, "rate", 1e6 / time.median);
	return 0;
}

static int add_row(struct report *t, const void *results, size_t i)
{
	const struct op_results *res = results;
	const struct op_case *c = op_case_of(res, i);
	int r = 0;

	if (!op_takes_part(res, i))
		return 0;
	report_row(t);
	report_set_text(t, "operation", c->row);
	report_set_text(t, "environment", bench_environments[c->where].name);
	report_set_text(t, "monitor", c->monitor ? c->monitor : "-");
	report_set_text(t, "second_stage", host_second_stage_label(res->plan->host));
	set_bar(t, c);
	if (*res->series[i].na) {
		report_set_rest_na(t, res->series[i].na);
		return 0;
	}
	op_set_counts(t, res, i);
	if (op_has_times(res, i))
		r = set_times(t, res, i);
	else
		report_set_rest_na(t, bench_times_na(res->plan->host));
	if (r == 0)
		report_set_rest_na(t, "it means nothing for this row");
	return r;
}

int enclave_costs_report(const void *results, struct report **ret_table)
{
	return report_build(&layout, results, op_nr(results), add_row, ret_table);
}
