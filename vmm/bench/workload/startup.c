/* SPDX-License-Identifier: MIT */
#include "bench/workload/startup.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/process.h"
#include "bench/stats.h"
#include "bench/workload/counts.h"
#include "bench/workload/turn.h"

#define KIB_PER_MIB 1024.0
#define ROUNDS      30

enum startup_program { STARTUP_GNOMON, STARTUP_SHORTEST, STARTUP_NR };

struct startup_results {
	const struct bench_plan *plan;
	double *first_ms[STARTUP_NR], *exit_ms[STARTUP_NR]; /* by round */
	long peak_kib[STARTUP_NR];
	struct counts counts; /* of gnomon's whole run */
	bench_reason na[STARTUP_NR], no_peak[STARTUP_NR], no_counts;
};

static const struct report_column columns[] = {
    {"program", "program", NULL, 0},
    {"second_stage", "second stage", NULL, 0},
    {"first", "first character", "ms", 3},
    {"first_iqr", "IQR", "ms", 3},
    {"exit", "exit", "ms", 3},
    {"exit_iqr", "IQR", "ms", 3},
    {"peak_resident", "peak resident", "MiB", 2},
    {"exits", "exits", NULL, 0},
    {"shadow_events", "shadow events", NULL, 0},
    {"ratio", "first by the shortest", NULL, 2},
    {"ratio_ci_low", "95% from", NULL, 2},
    {"ratio_ci_high", "to", NULL, 2},
    {"noise", "noise", NULL, 0},
    {"n", "n", NULL, 0},
};
static const struct report_layout layout = {"startup", columns, sizeof(columns) / sizeof(*columns), NULL};

static const char *const program_names[STARTUP_NR] = {
    [STARTUP_GNOMON] = "gnomon run, hello", [STARTUP_SHORTEST] = "shortest KVM program"};

static const char *const *program_argv(const struct bench_plan *plan, enum startup_program p, const char **buf)
{
	if (p == STARTUP_GNOMON)
		memcpy(buf, (const char *[]){process_self(), "run", plan->file[BENCH_KERNEL], "--", "hello", NULL},
		       6 * sizeof(*buf));
	else
		memcpy(buf, (const char *[]){plan->file[BENCH_SHORTEST], NULL}, 2 * sizeof(*buf));
	return buf;
}

static int begin(void *results, const struct bench_plan *plan)
{
	struct startup_results *res = results;
	int r = 0;

	res->plan = plan;
	for (int p = 0; r == 0 && p < STARTUP_NR; p++) {
		reason_without_kvm(&res->na[p], plan->host);
		r = series_pair(plan->rounds, &res->first_ms[p], &res->exit_ms[p]);
	}
	return r;
}

static size_t nr_cases(const void *results)
{
	return STARTUP_NR;
}

static bool is_due(const void *results, size_t i)
{
	const struct startup_results *res = results;

	return !*res->na[i];
}

static size_t group_end(const void *results, size_t first)
{
	return STARTUP_NR;
}

static void describe(const void *results, size_t i, char *ret_text, size_t size)
{
	snprintf(ret_text, size, "%s", program_names[i]);
}

/* Counters of one run. 0 or -EINTR; what else fails leaves its reason. */
static int find_counts(struct startup_results *res, const struct turn *turn)
{
	struct counts_file file;
	int r;

	if (!counts_begin(&file, &res->no_counts))
		return 0;
	r = turn_exec(turn,
	              (const char *const[]){process_self(), "run", "--stats", file.path, res->plan->file[BENCH_KERNEL],
	                                    "--", "hello", NULL},
	              &res->no_counts);
	return counts_end(&file, r, &res->no_counts, &res->counts);
}

/* The peak of a run that is not timed, which also warms the page cache up. */
static int find_peak(struct startup_results *res, const struct turn *turn)
{
	const char *argv[6];
	const int r =
	    child_peak_resident(program_argv(res->plan, turn->i, argv), &turn->limits, &res->peak_kib[turn->i]);

	if (r == -ENODATA)
		reason_set(&res->no_peak[turn->i], "/proc/PID/status does not tell it");
	else if (r < 0 && r != -EINTR)
		snprintf(res->no_peak[turn->i], sizeof(res->no_peak[0]), "its run for this could not be traced: %s",
		         strerror(-r));
	return r == -EINTR ? r : 0;
}

static int prepare(void *results, const struct turn *turn)
{
	const int r = find_peak(results, turn);

	return r == 0 && turn->i == STARTUP_GNOMON ? find_counts(results, turn) : r;
}

static int take_turn(void *results, const struct turn *turn)
{
	struct startup_results *res = results;
	const char *argv[6];
	const int r = turn_exec(turn, program_argv(res->plan, turn->i, argv), &res->na[turn->i]);

	if (r == 0 && !*res->na[turn->i] && turn->child->first_ms < 0)
		reason_set(&res->na[turn->i], "it wrote nothing");
	res->first_ms[turn->i][turn->round] = turn->child->first_ms;
	res->exit_ms[turn->i][turn->round] = turn->child->exit_ms;
	return r;
}

static bool any(const void *results)
{
	return is_due(results, STARTUP_GNOMON) || is_due(results, STARTUP_SHORTEST);
}

static void release(void *results)
{
	struct startup_results *res = results;

	for (int p = 0; p < STARTUP_NR; p++)
		free(res->first_ms[p]);
}

static int ratio_to_shortest(const struct startup_results *res, double *const ms[STARTUP_NR],
                             struct stats_ratio *ret_ratio)
{
	return stats_paired_ratio(ms[STARTUP_GNOMON], ms[STARTUP_SHORTEST], res->plan->rounds, STATS_SEED, ret_ratio);
}

static int set_ratio(struct report *t, const struct startup_results *res, size_t p)
{
	struct stats_ratio ratio;
	int r = 0;

	if (p != STARTUP_GNOMON) {
		report_set_rest_na(t, "it is what gnomon is compared with");
		return 0;
	}
	if (*res->na[STARTUP_SHORTEST]) {
		report_set_rest_na(t, res->na[STARTUP_SHORTEST]);
		return 0;
	}
	r = ratio_to_shortest(res, res->first_ms, &ratio);
	if (r == 0)
		report_set_ratio(t, "ratio", &ratio);
	return r;
}

static void set_counts(struct report *t, const struct startup_results *res, size_t p)
{
	const char *const na = p != STARTUP_GNOMON ? "it counts nothing" : *res->no_counts ? res->no_counts : NULL;

	counts_set(t, false, (double)res->counts.exits, NAN, na);
}

static int add_row(struct report *t, const void *results, size_t p)
{
	const struct startup_results *res = results;
	const int n = res->plan->rounds;
	struct stats_summary first, end;
	int r;

	report_row(t);
	report_set_text(t, "program", program_names[p]);
	report_set_text(t, "second_stage", host_second_stage_label(res->plan->host));
	if (*res->na[p]) {
		report_set_rest_na(t, res->na[p]);
		return 0;
	}
	if (*res->no_peak[p])
		report_set_na(t, "peak_resident", res->no_peak[p]);
	else
		report_set_number(t, "peak_resident", res->peak_kib[p] / KIB_PER_MIB);
	set_counts(t, res, p);
	if (bench_times_na(res->plan->host)) {
		report_set_rest_na(t, bench_times_na(res->plan->host));
		return 0;
	}
	r = stats_summarise(res->first_ms[p], n, STATS_SEED, &first);
	if (r == 0)
		r = stats_summarise(res->exit_ms[p], n, STATS_SEED, &end);
	if (r < 0)
		return r;
	report_set_number(t, "first", first.median);
	report_set_number(t, "first_iqr", first.iqr);
	report_set_number(t, "exit", end.median);
	report_set_number(t, "exit_iqr", end.iqr);
	turn_set_noise(t, &first, 0, NAN);
	report_set_number(t, "n", n);
	return set_ratio(t, res, p);
}

static int report(const void *results, struct report **ret_table)
{
	return report_build(&layout, results, STARTUP_NR, add_row, ret_table);
}

static void explain_ratio(const struct startup_results *res, const char *what, double *const ms[STARTUP_NR], FILE *to)
{
	struct stats_ratio ratio;
	char words[STATS_WORDS];

	if (ratio_to_shortest(res, ms, &ratio) < 0)
		return;
	fprintf(to, "To its %s gnomon takes %.2f times as long as the shortest KVM program", what, ratio.median);
	fprintf(to, " (%s).\n", stats_interval(ratio.ci_low, ratio.ci_high, 2, words));
}

static void explain(const void *results, FILE *to)
{
	const struct startup_results *res = results;

	if (*res->na[STARTUP_GNOMON] || *res->na[STARTUP_SHORTEST] || bench_times_na(res->plan->host))
		return;
	explain_ratio(res, "guest's first character", res->first_ms, to);
	explain_ratio(res, "exit", res->exit_ms, to);
}

const struct workload startup_workload = {
    .name = "startup",
    .what = "how long a guest takes to start, beside the shortest KVM program",
    .needs = 1 << BENCH_KERNEL | 1 << BENCH_SHORTEST,
    .in_full = true,
    .rounds = ROUNDS,
    .quick_rounds = ROUNDS,
    .results_size = sizeof(struct startup_results),
    .begin = begin,
    .nr_cases = nr_cases,
    .is_due = is_due,
    .group_end = group_end,
    .describe = describe,
    .prepare = prepare,
    .turn = take_turn,
    .any = any,
    .tables = {report},
    .explain = explain,
    .release = release,
};
