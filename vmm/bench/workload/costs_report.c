/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <math.h>
#include <string.h>

#include "bench/workload/costs.h"
#include "bench/stats.h"
#include "bench/workload/turn.h"

#define BOTH_MODES (1u << BENCH_NESTED | 1u << BENCH_SHADOW)

static const struct report_column columns[] = {
    {"operation", "operation", NULL, 0},
    {"environment", "run", NULL, 0},
    {"options", "shadow options", NULL, 0},
    {"second_stage", "second stage", NULL, 0},
    {"time", "time", "us", 2},
    {"time_iqr", "IQR", "us", 2},
    {"floors", "floors", NULL, 2},
    {"floors_ci_low", "95% from", NULL, 2},
    {"floors_ci_high", "to", NULL, 2},
    {"exits", "exits/op", NULL, 3},
    {"shadow_events", "shadow events/op", NULL, 3},
    {"pages_built", "pages built/op", NULL, 3},
    {"bar", "bar", NULL, 0},
    {"noise", "noise", NULL, 0},
    {"n", "n", NULL, 0},
};
static const struct report_layout layout = {"costs", columns, sizeof(columns) / sizeof(*columns), NULL};

static const struct report_column ratio_columns[] = {
    {"operation", "operation", NULL, 0},
    {"options", "shadow options", NULL, 0},
    {"second_stage", "second stage", NULL, 0},
    {"ratio", "shadow / nested", NULL, 2},
    {"ratio_ci_low", "95% from", NULL, 2},
    {"ratio_ci_high", "to", NULL, 2},
    {"bar", "bar", NULL, 0},
    {"n", "n", NULL, 0},
};
static const struct report_layout ratio_layout = {"costs-ratio", ratio_columns,
                                                  sizeof(ratio_columns) / sizeof(*ratio_columns), NULL};

/* What the optimisations of a case are called. */
static const char *options_words(const struct op_case *c, char buf[OP_MAX_OPTIONS])
{
	char list[OP_MAX_OPTIONS];

	if (c->where != BENCH_SHADOW)
		return "-";
	op_options(c->without, c->with, list, buf);
	return buf;
}

static void bar_words(const struct op_case *c, char *buf, size_t size)
{
	size_t n = 0;

	snprintf(buf, size, "-");
	if (c->floors_bar > 0)
		n += snprintf(buf, size, "%.2f floors", c->floors_bar);
	if (c->exits_bar > 0)
		n += snprintf(buf + n, size - n, "%s%.0f exit%s", n ? ", " : "", c->exits_bar,
		              c->exits_bar > 1 ? "s" : "");
	if (c->builds_none)
		snprintf(buf + n, size - n, ", no page");
}

static int set_times(struct report *t, const struct op_series *s, int n)
{
	struct stats_summary time;
	struct stats_ratio floors;
	int r = stats_summarise(s->us, n, STATS_SEED, &time);

	if (r == 0)
		r = stats_paired_ratio(s->us, s->floor_us, n, STATS_SEED, &floors);
	if (r < 0)
		return r;
	report_set_number(t, "time", time.median);
	report_set_number(t, "time_iqr", time.iqr);
	report_set_ratio(t, "floors", &floors);
	turn_set_noise(t, &time, 0, NAN);
	report_set_number(t, "n", n);
	return 0;
}

static int add_row(struct report *t, const void *results, size_t i)
{
	const struct op_results *res = results;
	const struct op_case *c = op_case_of(res, i);
	const struct op_series *s = &res->series[i];
	char buf[OP_MAX_OPTIONS];

	if (!op_takes_part(res, i))
		return 0;
	report_row(t);
	report_set_text(t, "operation", c->row);
	report_set_text(t, "environment", bench_environments[c->where].name);
	report_set_text(t, "options", options_words(c, buf));
	report_set_text(t, "second_stage", host_second_stage_label(res->plan->host));
	bar_words(c, buf, sizeof(buf));
	report_set_text(t, "bar", buf);
	if (*s->na) {
		report_set_rest_na(t, s->na);
		return 0;
	}
	op_set_counts(t, res, i);
	op_set_pages_built(t, res, i);
	if (!op_has_times(res, i)) {
		report_set_rest_na(t, bench_times_na(res->plan->host));
		return 0;
	}
	return set_times(t, s, res->plan->rounds);
}

int costs_report(const void *results, struct report **ret_table)
{
	return report_build(&layout, results, op_nr(results), add_row, ret_table);
}

/* The nested case of the same operation. */
static size_t nested_of(const struct op_results *res, size_t i)
{
	while (op_case_of(res, i)->where != BENCH_NESTED) {
		BUG_ON(i == 0 || strcmp(op_case_of(res, i - 1)->row, op_case_of(res, i)->row) != 0);
		i--;
	}
	return i;
}

/* -ENODATA: not both were measured. */
static int nested_ratio(const struct op_results *res, size_t i, struct stats_ratio *ret_ratio)
{
	const size_t nested = nested_of(res, i);

	return op_time_ratio(res, i, nested, ret_ratio);
}

/* Of a shadow row. */
static int add_ratio(struct report *t, const void *results, size_t i)
{
	const struct op_results *res = results;
	const struct op_case *c = op_case_of(res, i);
	struct stats_ratio ratio;
	char buf[OP_MAX_OPTIONS];
	int r;

	if (c->where != BENCH_SHADOW || !op_takes_part(res, i))
		return 0;
	r = nested_ratio(res, i, &ratio);
	if (r < 0 && r != -ENODATA)
		return r;
	report_row(t);
	report_set_text(t, "operation", c->row);
	report_set_text(t, "options", options_words(c, buf));
	report_set_text(t, "second_stage", host_second_stage_label(res->plan->host));
	snprintf(buf, sizeof(buf), c->nested_bar > 0 ? "%.2f" : "-", c->nested_bar);
	report_set_text(t, "bar", buf);
	if (r < 0) {
		report_set_rest_na(t, bench_times_na(res->plan->host) ? bench_times_na(res->plan->host)
		                                                      : "one of the two was not measured");
		return 0;
	}
	report_set_ratio(t, "ratio", &ratio);
	report_set_number(t, "n", ratio.n);
	return 0;
}

int costs_ratio_report(const void *results, struct report **ret_table)
{
	const struct op_results *res = results;

	if ((res->plan->where & BOTH_MODES) != BOTH_MODES)
		return 0;
	return report_build(&ratio_layout, results, op_nr(results), add_ratio, ret_table);
}

/* One line for a bar. */
static void explain_bar(const struct op_case *c, const struct stats_ratio *value, const char *unit, double bar,
                        FILE *to)
{
	char buf[OP_MAX_OPTIONS];

	fprintf(to, "%s, %s: %.3f %s, bar %.2f: %s.\n", c->row, options_words(c, buf), value->median, unit, bar,
	        stats_bar(value, bar, false));
}

static void explain_bars(const struct op_results *res, size_t i, FILE *to)
{
	const struct op_case *c = op_case_of(res, i);
	const struct op_series *s = &res->series[i];
	/* Counted: they are what they are. */
	const struct stats_ratio exits = {.median = s->exits, .ci_low = s->exits, .ci_high = s->exits},
	                         pages = {
	                             .median = s->pages_built, .ci_low = s->pages_built, .ci_high = s->pages_built};
	struct stats_ratio ratio;

	if (c->floors_bar > 0 && op_has_times(res, i) &&
	    stats_paired_ratio(s->us, s->floor_us, res->plan->rounds, STATS_SEED, &ratio) == 0)
		explain_bar(c, &ratio, "floors", c->floors_bar, to);
	if (c->nested_bar > 0 && nested_ratio(res, i, &ratio) == 0)
		explain_bar(c, &ratio, "times the nested time", c->nested_bar, to);
	if (c->exits_bar > 0)
		explain_bar(c, &exits, "exits", c->exits_bar, to);
	if (c->builds_none)
		explain_bar(c, &pages, "shadow pages built", 0, to);
}

static void explain_host(const struct host_info *h, FILE *to)
{
	if (h->second_stage == HOST_STAGE_SOFTWARE_PVM)
		fputs(
		    "On this host KVM emulates guest CPL 0 instruction by instruction: nested rows at CPL 0 show it.\n",
		    to);
	else if (h->second_stage == HOST_STAGE_EPT || h->second_stage == HOST_STAGE_NPT)
		fputs(
		    "On this host KVM shadows nothing: a nested guest's entries need no fault, only its memory does.\n",
		    to);
	bench_explain_host(h, to);
}

void costs_explain(const void *results, FILE *to)
{
	const struct op_results *res = results;

	if (!op_any(res))
		return;
	if (!bench_times_na(res->plan->host))
		fprintf(to,
		        "Times are the guest's own TSC (%.1f MHz) around blocks of operations: the median block of a "
		        "run, and of\n"
		        "that the median of %d rounds. A floor is an OUT to the no-op port, which the VMM resumes at "
		        "once, in the\n"
		        "same run and at the operation's own CPL, in blocks that take turns with its blocks.\n",
		        res->tsc_mhz, res->plan->rounds);
	fputs("Exits and shadow pages are counted, not timed: the difference of two runs, one with twice as many\n"
	      "operations.\n",
	      to);
	for (size_t i = 0; i < res->set->nr_cases; i++)
		if (op_case_of(res, i)->what)
			fprintf(to, "  %-14s %s\n", op_case_of(res, i)->row, op_case_of(res, i)->what);
	explain_host(res->plan->host, to);
	for (size_t i = 0; i < res->set->nr_cases; i++)
		if (op_has(res, i))
			explain_bars(res, i, to);
}
