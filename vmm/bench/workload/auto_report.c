/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdlib.h>

#include "bench/stats.h"
#include "bench/workload/auto.h"
#include "paging/policy.h"

enum measure { ON_THE_CLOCK, OF_THE_CPU };

/* Seconds of quiet that auto must have to change the mode, at most. */
#define LEAST           ((POLICY_PATIENCE + 1) * POLICY_WINDOW_US / 1e6)
#define TOO_SHORT       "steady took %.1f s, and auto may need %.1f s to change the mode: too short"
#define REASON          128
#define ROWS_OF_BACKING (AUTO_NR_PHASES * AUTO_NR_PAGINGS)

static const struct report_column columns[] = {
    {"backing", "backing", NULL, 0},
    {"phase", "phase", NULL, 0},
    {"paging", "--paging", NULL, 0},
    {"second_stage", "second stage", NULL, 0},
    {"time", "median", "s", 2},
    {"ratio", "to the better", NULL, 3},
    {"ratio_ci_low", "95% from", NULL, 3},
    {"ratio_ci_high", "to", NULL, 3},
    {"cpu", "CPU", "s", 2},
    {"cpu_ratio", "to the better", NULL, 3},
    {"cpu_ratio_ci_low", "95% from", NULL, 3},
    {"cpu_ratio_ci_high", "to", NULL, 3},
    {"bar", "bar", NULL, 0},
    {"changes", "changes", NULL, 1},
    {"in_shadow", "in shadow", "percent", 0},
    {"exits", "exits", NULL, 0},
    {"shadow_events", "shadow events", NULL, 0},
    {"ran", "ran", NULL, 0},
    {"n", "n", NULL, 0},
};
static const struct report_layout layout = {"auto", columns, sizeof(columns) / sizeof(*columns), NULL};

bool auto_any(const void *results)
{
	const struct auto_results *res = results;

	for (size_t i = 0; i < AUTO_NR_CASES; i++)
		if (!*res->na[i])
			return true;
	return false;
}

/* A phase of a case in all rounds, in s; the caller frees it. NULL: no memory. */
static double *seconds_of(const struct auto_results *res, size_t i, enum auto_phase phase, enum measure m)
{
	double *s = calloc((size_t)res->plan->rounds + 1, sizeof(*s));

	for (int round = 0; s && round < res->plan->rounds; round++) {
		const struct auto_sample *of = &res->sample[i][round];

		s[round] = m == OF_THE_CPU ? of->cpu_ns[phase] / 1e9 : of->tsc[phase] / res->tsc_mhz / 1e6;
	}
	return s;
}

static int median_of(const struct auto_results *res, size_t i, enum auto_phase phase, enum measure m,
                     double *ret_median)
{
	struct stats_summary sum;
	double *s = seconds_of(res, i, phase, m);
	int r = s ? stats_summarise(s, res->plan->rounds, STATS_SEED, &sum) : -ENOMEM;

	free(s);
	if (r == 0)
		*ret_median = sum.median;
	return r;
}

/* Auto, case i, to the mode with the lower median. -ENODATA: not both modes were measured. */
static int ratio_of(const struct auto_results *res, size_t i, enum auto_phase phase, enum measure m,
                    struct stats_ratio *ret_ratio)
{
	const size_t nested = i - AUTO_AUTO + AUTO_NESTED, shadow = i - AUTO_AUTO + AUTO_SHADOW;
	double of_nested = 0, of_shadow = 0, *a, *b;
	int r;

	if (*res->na[nested] || *res->na[shadow])
		return -ENODATA;
	r = median_of(res, nested, phase, m, &of_nested);
	if (r == 0)
		r = median_of(res, shadow, phase, m, &of_shadow);
	if (r < 0)
		return r;
	a = seconds_of(res, i, phase, m);
	b = seconds_of(res, of_nested < of_shadow ? nested : shadow, phase, m);
	r = a && b ? stats_paired_ratio(a, b, res->plan->rounds, STATS_SEED, ret_ratio) : -ENOMEM;
	free(a);
	free(b);
	return r;
}

/* The round whose time is the lower median. */
static int typical_round(const struct auto_sample *s, int rounds, enum auto_phase phase)
{
	for (int i = 0; i < rounds; i++) {
		int below = 0;

		for (int j = 0; j < rounds; j++)
			below += s[j].tsc[phase] < s[i].tsc[phase] || (s[j].tsc[phase] == s[i].tsc[phase] && j < i);
		if (below == (rounds - 1) / 2)
			return i;
	}
	return 0;
}

/*
 * The phase in which auto might leave nested mode ended before it could: it waits for POLICY_PATIENCE windows without
 * trouble, behind the one that was under way. What comes then has nothing to go back from. Init needs no change.
 */
static bool is_too_short(const struct auto_results *res, size_t i, enum auto_phase phase, double *ret_steady)
{
	struct auto_story story;

	if (phase == AUTO_INIT || median_of(res, i, AUTO_STEADY, ON_THE_CLOCK, ret_steady) < 0 || *ret_steady >= LEAST)
		return false;
	for (int round = 0; round < res->plan->rounds; round++)
		for (int p = AUTO_INIT; p <= AUTO_STEADY; p++) {
			auto_tell(&res->sample[i][round], p, false, 0, &story);
			if (story.changes)
				return false;
		}
	return true;
}

/* Which mode ran when: means of all rounds, and the words of a typical one. */
static void set_story(struct report *t, const struct auto_results *res, size_t i, enum auto_phase phase, bool timed)
{
	const bool shadow = i % AUTO_NR_PAGINGS == AUTO_SHADOW;
	const int rounds = res->plan->rounds;
	double changes = 0, in_shadow = 0, exits = 0, events = 0;
	bool counted = true;
	struct auto_story story;

	for (int round = 0; round < rounds; round++) {
		auto_tell(&res->sample[i][round], phase, shadow, 0, &story);
		changes += story.changes;
		in_shadow += story.in_shadow;
		counted = counted && res->sample[i][round].counted;
		exits += (double)res->sample[i][round].exits[phase];
		events += (double)res->sample[i][round].shadow_events[phase];
	}
	auto_tell(&res->sample[i][typical_round(res->sample[i], rounds, phase)], phase, shadow,
	          timed ? res->tsc_mhz : 0, &story);
	report_set_number(t, "changes", changes / rounds);
	counts_set(t, i % AUTO_NR_PAGINGS != AUTO_NESTED, exits / rounds, events / rounds,
	           counted ? NULL : "a guest ended before it could be asked");
	report_set_text(t, "ran", story.words);
	if (timed)
		report_set_number(t, "in_shadow", 100 * in_shadow / rounds);
}

static int set_times(struct report *t, const struct auto_results *res, size_t i, enum auto_phase phase, enum measure m)
{
	struct stats_ratio ratio;
	double median = 0, steady;
	int r = median_of(res, i, phase, m, &median);

	if (r < 0)
		return r;
	report_set_number(t, m == OF_THE_CPU ? "cpu" : "time", median);
	if (i % AUTO_NR_PAGINGS != AUTO_AUTO || is_too_short(res, i, phase, &steady))
		return 0;
	r = ratio_of(res, i, phase, m, &ratio);
	if (r == 0)
		report_set_ratio(t, m == OF_THE_CPU ? "cpu_ratio" : "ratio", &ratio);
	return r == -ENODATA ? 0 : r;
}

/* Rows are numbered by backing, within each by phase, within each by paging. */
static int add_row(struct report *t, const void *results, size_t row)
{
	const struct auto_results *res = results;
	const size_t backing = row / ROWS_OF_BACKING, paging = row % AUTO_NR_PAGINGS;
	const size_t i = backing * AUTO_NR_PAGINGS + paging;
	const enum auto_phase phase = row / AUTO_NR_PAGINGS % AUTO_NR_PHASES;
	const char *const times_na = bench_times_na(res->plan->host);
	char bar[16], short_na[REASON] = "";
	double steady;
	int r;

	snprintf(bar, sizeof(bar), "%.2f", AUTO_BAR);
	report_row(t);
	report_set_text(t, "backing", auto_backing[backing]);
	report_set_text(t, "phase", auto_phase_name[phase]);
	report_set_text(t, "paging", auto_paging_name[paging]);
	report_set_text(t, "second_stage", host_second_stage_label(res->plan->host));
	report_set_text(t, "bar", paging == AUTO_AUTO ? bar : "-");
	if (*res->na[i]) {
		report_set_rest_na(t, res->na[i]);
		return 0;
	}
	set_story(t, res, i, phase, !times_na);
	report_set_number(t, "n", res->plan->rounds);
	if (times_na) {
		report_set_rest_na(t, times_na);
		return 0;
	}
	r = set_times(t, res, i, phase, ON_THE_CLOCK);
	if (r == 0)
		r = set_times(t, res, i, phase, OF_THE_CPU);
	if (is_too_short(res, i, phase, &steady))
		snprintf(short_na, sizeof(short_na), TOO_SHORT, steady, LEAST);
	report_set_rest_na(t, paging != AUTO_AUTO ? "a mode is what auto is compared with"
	                      : *short_na         ? short_na
	                                          : "it takes both modes to know the better one");
	return r;
}

int auto_report(const void *results, struct report **ret_table)
{
	return report_build(&layout, results, AUTO_NR_BACKINGS * ROWS_OF_BACKING, add_row, ret_table);
}

/* Of one phase with one backing, auto being case i. */
static void explain_phase(const struct auto_results *res, size_t i, enum auto_phase phase, FILE *to)
{
	struct stats_ratio clock, cpu;
	struct auto_story story;
	unsigned changes = 0;
	double steady;

	if (*res->na[i] || ratio_of(res, i, phase, ON_THE_CLOCK, &clock) < 0 ||
	    ratio_of(res, i, phase, OF_THE_CPU, &cpu) < 0)
		return;
	fprintf(to, "%s, %s: ", auto_backing[i / AUTO_NR_PAGINGS], auto_phase_name[phase]);
	if (is_too_short(res, i, phase, &steady)) {
		fprintf(to, TOO_SHORT ".\n", steady, LEAST);
		return;
	}
	for (int round = 0; round < res->plan->rounds; round++) {
		auto_tell(&res->sample[i][round], phase, false, 0, &story);
		changes += story.changes;
	}
	fprintf(to, "%.3f on the clock, %.3f of CPU time, bar %.2f: ", clock.median, cpu.median, AUTO_BAR);
	if (clock.n < STATS_FEWEST)
		fputs("too few rounds to tell", to);
	else
		fprintf(to, "%s on the clock, %s by CPU time", stats_bar(&clock, AUTO_BAR, false),
		        stats_bar(&cpu, AUTO_BAR, false));
	fputs(changes ? ".\n" : "; auto did not change the mode in this phase.\n", to);
}

void auto_explain(const void *results, FILE *to)
{
	const struct auto_results *res = results;

	if (!auto_any(results))
		return;
	fputs(
	    "A guest changes and flushes its tables (init), chases pointers without a system call (steady), and does\n"
	    "the first again. \"to the better\" is auto's time over that of the mode with the lower median, round by\n"
	    "round; \"CPU\" is what all threads of the VMM used, KVM's work for them included: on a busy host it says "
	    "more.\n"
	    "\"changes\", \"in shadow\", exits and shadow events of a phase are means of all rounds; \"ran\" is of the "
	    "round\n"
	    "with the median time.\n",
	    to);
	for (size_t i = AUTO_AUTO; i < AUTO_NR_CASES && !bench_times_na(res->plan->host); i += AUTO_NR_PAGINGS)
		for (enum auto_phase phase = 0; phase < AUTO_NR_PHASES; phase++)
			explain_phase(res, i, phase, to);
}
