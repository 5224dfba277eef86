/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <math.h>
#include <string.h>

#include "bench/workload/ablation_parts.h"

static const struct report_column columns[] = {
    {"operation", "operation", NULL, 0},
    {"kind", "setting", NULL, 0},
    {"option", "option", NULL, 0},
    {"options", "shadow options", NULL, 0},
    {"second_stage", "second stage", NULL, 0},
    {"time", "time", "us", 2},
    {"time_iqr", "IQR", "us", 2},
    {"exits", "exits/op", NULL, 3},
    {"shadow_events", "shadow events/op", NULL, 3},
    {"pages_built", "pages built/op", NULL, 3},
    {"ratio", "of the time with all", NULL, 2},
    {"ratio_ci_low", "95% from", NULL, 2},
    {"ratio_ci_high", "to", NULL, 2},
    {"n", "n", NULL, 0},
};
static const struct report_plot plot = {.title = "Shadow paging without some of its optimisations",
                                        .panel = "kind",
                                        .line = "operation",
                                        .x = "option",
                                        .y = "ratio",
                                        .heat = true};
static const struct report_layout layout = {"ablation", columns, sizeof(columns) / sizeof(*columns), &plot};

static const struct report_column option_columns[] = {
    {"option", "option", NULL, 0},
    {"options", "shadow options", NULL, 0},
    {"loser", "loses most", NULL, 0},
    {"loss", "its time", NULL, 2},
    {"loss_ci_low", "95% from", NULL, 2},
    {"loss_ci_high", "to", NULL, 2},
    {"loser_exits_all", "exits/op with all", NULL, 3},
    {"loser_exits", "with these", NULL, 3},
    {"winner", "gains most", NULL, 0},
    {"win", "its time", NULL, 2},
    {"win_ci_low", "95% from", NULL, 2},
    {"win_ci_high", "to", NULL, 2},
    {"n", "n", NULL, 0},
};
static const struct report_layout option_layout = {"ablation-options", option_columns,
                                                   sizeof(option_columns) / sizeof(*option_columns), NULL};

static const char *option_name(size_t setting)
{
	if (setting == ABLATION_ALL)
		return "nothing";
	if (setting == ABLATION_NONE)
		return "everything";
	if (setting == ABLATION_LAZY)
		return shadow_opt_desc[SHADOW_OPTS_ON].name;
	return shadow_opt_desc[(setting - ABLATION_LEFT_OUT) % SHADOW_OPTS_ON].name;
}

static size_t case_of(size_t operation, size_t setting)
{
	return operation * ABLATION_SETTINGS + setting;
}

/* ---- a row a case ---- */

static int set_times(struct report *t, const struct op_results *res, size_t i)
{
	const int n = res->plan->rounds;
	struct stats_summary time;
	struct stats_ratio ratio;
	int r = stats_summarise(res->series[i].us, n, STATS_SEED, &time);

	if (r < 0)
		return r;
	report_set_number(t, "time", time.median);
	report_set_number(t, "time_iqr", time.iqr);
	report_set_number(t, "n", n);
	r = op_time_ratio(res, i, case_of(i / ABLATION_SETTINGS, ABLATION_ALL), &ratio);
	if (r == 0)
		report_set_ratio(t, "ratio", &ratio);
	else if (r == -ENODATA)
		report_set_rest_na(t, "with all of them it was not measured");
	return r == -ENODATA ? 0 : r;
}

static int add_row(struct report *t, const void *results, size_t i)
{
	const struct op_results *res = results;
	const struct op_series *s = &res->series[i];
	const size_t setting = i % ABLATION_SETTINGS;
	const bool alone = setting >= ABLATION_ALONE && setting < ABLATION_NONE;
	char list[OP_MAX_OPTIONS], words[OP_MAX_OPTIONS];

	if (!op_takes_part(res, i))
		return 0;
	op_options(op_case_of(res, i)->without, op_case_of(res, i)->with, list, words);
	report_row(t);
	report_set_text(t, "operation", op_case_of(res, i)->row);
	report_set_text(t, "kind", alone ? "alone" : setting == ABLATION_LAZY ? "added" : "left out");
	report_set_text(t, "option", option_name(setting));
	report_set_text(t, "options", alone ? list : words);
	report_set_text(t, "second_stage", host_second_stage_label(res->plan->host));
	if (*s->na) {
		report_set_rest_na(t, s->na);
		return 0;
	}
	op_set_counts(t, res, i);
	report_set_number(t, "pages_built", s->pages_built);
	if (!op_has_times(res, i)) {
		report_set_rest_na(t, bench_times_na(res->plan->host));
		return 0;
	}
	return set_times(t, res, i);
}

int ablation_report(const void *results, struct report **ret_table)
{
	return report_build(&layout, results, op_nr(results), add_row, ret_table);
}

/* ---- a row an optimisation ---- */

/* The last, lazy, is not one of all: it is added where the others are left out. */
static size_t setting_of(size_t n)
{
	return n == SHADOW_OPTS_ON ? ABLATION_LAZY : ABLATION_LEFT_OUT + n;
}

/* Which operation an optimisation changes most. */
struct effect {
	bool any;
	size_t operation;
	struct stats_ratio ratio; /* of the time in the setting to the time with all */
};

/* What loses and what gains in the setting: where the whole interval lies on one side of 1. */
static int effects(const struct op_results *res, size_t setting, struct effect *ret_loss, struct effect *ret_win)
{
	*ret_loss = *ret_win = (struct effect){0};
	for (size_t o = 0; o < ABLATION_OPERATIONS; o++) {
		struct effect e = {.any = true, .operation = o};
		const int r = op_time_ratio(res, case_of(o, setting), case_of(o, ABLATION_ALL), &e.ratio);

		if (r == -ENODATA)
			continue;
		if (r < 0)
			return r;
		if (e.ratio.ci_low > 1 && (!ret_loss->any || e.ratio.median > ret_loss->ratio.median))
			*ret_loss = e;
		if (e.ratio.ci_high < 1 && (!ret_win->any || e.ratio.median < ret_win->ratio.median))
			*ret_win = e;
	}
	return 0;
}

static bool has_setting(const struct op_results *res, size_t setting)
{
	for (size_t o = 0; o < ABLATION_OPERATIONS; o++)
		if (op_has(res, case_of(o, setting)) && op_has(res, case_of(o, ABLATION_ALL)))
			return true;
	return false;
}

static int add_option(struct report *t, const void *results, size_t n)
{
	const struct op_results *res = results;
	const size_t setting = setting_of(n);
	struct effect loss, win;
	char list[OP_MAX_OPTIONS], words[OP_MAX_OPTIONS];
	int r;

	if (!has_setting(res, setting))
		return 0;
	r = effects(res, setting, &loss, &win);
	if (r < 0)
		return r;
	op_options(op_case_of(res, setting)->without, op_case_of(res, setting)->with, list, words);
	report_row(t);
	report_set_text(t, "option", shadow_opt_desc[n].name);
	report_set_text(t, "options", words);
	if (bench_times_na(res->plan->host)) {
		report_set_rest_na(t, bench_times_na(res->plan->host));
		return 0;
	}
	report_set_number(t, "n", res->plan->rounds);
	if (loss.any) {
		report_set_text(t, "loser", op_case_of(res, case_of(loss.operation, 0))->row);
		report_set_ratio(t, "loss", &loss.ratio);
		report_set_number(t, "loser_exits_all", res->series[case_of(loss.operation, ABLATION_ALL)].exits);
		report_set_number(t, "loser_exits", res->series[case_of(loss.operation, setting)].exits);
	}
	if (win.any) {
		report_set_text(t, "winner", op_case_of(res, case_of(win.operation, 0))->row);
		report_set_ratio(t, "win", &win.ratio);
	}
	report_set_rest_na(t, "no operation's interval lies on that side of 1");
	return 0;
}

int ablation_options_report(const void *results, struct report **ret_table)
{
	if (!op_any(results))
		return 0;
	return report_build(&option_layout, results, SHADOW_OPTS, add_option, ret_table);
}

/* ---- in words ---- */

void ablation_find(const void *results, FILE *to)
{
	const struct op_results *res = results;

	for (size_t n = 0; n < SHADOW_OPTS; n++) {
		struct effect loss, win;

		if (effects(res, setting_of(n), &loss, &win) < 0 || (!loss.any && !win.any))
			continue;
		fprintf(to, "With%s %s", n < SHADOW_OPTS_ON ? "out" : "", shadow_opt_desc[n].name);
		if (loss.any)
			fprintf(to, " %s takes %.2f times as long (95%% interval %.2f to %.2f)",
			        op_case_of(res, case_of(loss.operation, 0))->row, loss.ratio.median, loss.ratio.ci_low,
			        loss.ratio.ci_high);
		if (win.any)
			fprintf(to, "%s %s takes %.2f of its time (%.2f to %.2f)", loss.any ? ", and" : "",
			        op_case_of(res, case_of(win.operation, 0))->row, win.ratio.median, win.ratio.ci_low,
			        win.ratio.ci_high);
		fputs(".\n", to);
	}
}

void ablation_explain(const void *results, FILE *to)
{
	const struct op_results *res = results;

	if (!op_any(res))
		return;
	fputs("Shadow paging with all of its optimisations, with each left out, with each alone, with none, and with "
	      "lazy "
	      "added.\nOne that needs "
	      "another is left out with it, and brings it along when it is alone. The settings of an operation take "
	      "turns, and a\n"
	      "ratio is of times of the same round: above 1 the operation is slower than with all. Exits and pages are "
	      "counted,\n"
	      "not timed: the difference of two runs, one with twice as many operations.\n",
	      to);
	for (size_t o = 0; o < ABLATION_OPERATIONS; o++)
		fprintf(to, "  %-14s %s\n", op_case_of(res, case_of(o, ABLATION_ALL))->row,
		        op_case_of(res, case_of(o, ABLATION_ALL))->what);
	for (size_t n = 0; n < SHADOW_OPTS; n++)
		fprintf(to, "  %-14s %s\n", shadow_opt_desc[n].name, shadow_opt_desc[n].what);
	bench_explain_host(res->plan->host, to);
}
