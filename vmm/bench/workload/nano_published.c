/* SPDX-License-Identifier: MIT */
/* What others measured, on their machines, beside what was measured here. A table for each publication and its unit. */
#include <math.h>

#include "bench/stats.h"
#include "bench/workload/nano.h"

static const struct report_column adams_agesen_columns[] = {
    {"operation", "operation", NULL, 0},
    {"second_stage", "second stage", NULL, 0},
    {"ours_native", "ours: native", "cycles", 1},
    {"ours_nested", "ours: nested", "cycles", 1},
    {"ours_shadow", "ours: shadow", "cycles", 1},
    {"theirs_name", "theirs (Adams & Agesen 2006)", NULL, 0},
    {"theirs_native", "theirs: native", "cycles", 0},
    {"theirs_software", "theirs: software VMM", "cycles", 0},
    {"theirs_hardware", "theirs: first hardware VMM", "cycles", 0},
};
static const struct report_layout adams_agesen_layout = {
    "nano-adams-agesen", adams_agesen_columns, sizeof(adams_agesen_columns) / sizeof(*adams_agesen_columns), NULL};
static const char *const adams_agesen_theirs[NANO_SYSTEMS] = {"theirs_native", "theirs_software", "theirs_hardware"};

static const struct report_column pvm_columns[] = {
    {"operation", "operation", NULL, 0},
    {"second_stage", "second stage", NULL, 0},
    {"ours_nested", "ours: nested", "us", 2},
    {"ours_shadow", "ours: shadow", "us", 2},
    {"theirs_name", "theirs (PVM 2023)", NULL, 0},
    {"theirs_kvm_ept", "theirs: kvm-ept", "us", 2},
    {"theirs_kvm_shadow", "theirs: kvm-shadow", "us", 2},
    {"theirs_pvm", "theirs: pvm", "us", 2},
};
static const struct report_layout pvm_layout = {"nano-pvm", pvm_columns, sizeof(pvm_columns) / sizeof(*pvm_columns),
                                                NULL};
static const char *const pvm_theirs[NANO_SYSTEMS] = {"theirs_kvm_ept", "theirs_kvm_shadow", "theirs_pvm"};

/* The column of our figure: median by `scale`, or why there is none. */
static int set_ours(struct report *t, const struct op_results *res, const char *row, enum bench_where where,
                    const char *column, double scale)
{
	struct stats_summary time;
	size_t i;
	int r;

	if (nano_find_case(res, row, where, &i) < 0) {
		report_set_na(t, column, "a process of the host cannot do the same");
		return 0;
	}
	if (!op_has_times(res, i)) {
		report_set_na(t, column,
		              *res->series[i].na       ? res->series[i].na
		              : !op_takes_part(res, i) ? "it was not asked for"
		                                       : bench_times_na(res->plan->host));
		return 0;
	}
	r = stats_summarise(res->series[i].us, res->plan->rounds, STATS_SEED, &time);
	if (r == 0)
		report_set_number(t, column, time.median * scale);
	return r;
}

static void set_theirs(struct report *t, const struct nano_published *p, const char *const *column)
{
	report_set_text(t, "theirs_name", p->their_name);
	for (size_t i = 0; i < NANO_SYSTEMS; i++) {
		if (isnan(p->value[i]))
			report_set_na(t, column[i], "their figure is not at hand");
		else
			report_set_number(t, column[i], p->value[i]);
	}
}

/* Begins a row. */
static int add_modes(struct report *t, const struct op_results *res, const char *row, double scale)
{
	int r;

	report_row(t);
	report_set_text(t, "operation", row);
	report_set_text(t, "second_stage", host_second_stage_label(res->plan->host));
	r = set_ours(t, res, row, BENCH_NESTED, "ours_nested", scale);
	return r < 0 ? r : set_ours(t, res, row, BENCH_SHADOW, "ours_shadow", scale);
}

static int add_adams_agesen(struct report *t, const void *results, size_t n)
{
	const struct op_results *res = results;
	const struct nano_published *p = &nano_adams_agesen[n];
	int r = add_modes(t, res, p->row, res->tsc_mhz);

	if (r == 0)
		r = set_ours(t, res, p->row, BENCH_NATIVE, "ours_native", res->tsc_mhz);
	set_theirs(t, p, adams_agesen_theirs);
	return r;
}

static int add_pvm(struct report *t, const void *results, size_t n)
{
	const int r = add_modes(t, results, nano_pvm[n].row, 1);

	set_theirs(t, &nano_pvm[n], pvm_theirs);
	return r;
}

int nano_adams_agesen_report(const void *results, struct report **ret_table)
{
	if (!op_any(results))
		return 0;
	return report_build(&adams_agesen_layout, results, nano_nr_adams_agesen, add_adams_agesen, ret_table);
}

int nano_pvm_report(const void *results, struct report **ret_table)
{
	if (!op_any(results))
		return 0;
	return report_build(&pvm_layout, results, nano_nr_pvm, add_pvm, ret_table);
}
