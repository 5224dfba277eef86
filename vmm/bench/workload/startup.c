/* SPDX-License-Identifier: MIT */
#include "bench/workload/startup.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/process.h"
#include "bench/environment.h"
#include "bench/stats.h"

#define KIB_PER_MIB 1024.0

static const struct report_column columns[] = {
    {"program", "program", NULL, 0},
    {"second_stage", "second stage", NULL, 0},
    {"first", "first character", "ms", 3},
    {"first_iqr", "IQR", "ms", 3},
    {"exit", "exit", "ms", 3},
    {"exit_iqr", "IQR", "ms", 3},
    {"peak_resident", "peak resident", "MiB", 2},
    {"n", "n", NULL, 0},
};
static const struct report_layout layout = {"startup", columns, sizeof(columns) / sizeof(*columns)};

static const char *const program_names[STARTUP_NR] = {
    [STARTUP_GNOMON] = "gnomon run, hello", [STARTUP_SHORTEST] = "shortest KVM program"};

static const char *const *program_argv(const struct startup_plan *plan, enum startup_program p, const char **buf)
{
	if (p == STARTUP_GNOMON)
		memcpy(buf, (const char *[]){process_self(), "run", plan->image, "--", "hello", NULL},
		       6 * sizeof(*buf));
	else
		memcpy(buf, (const char *[]){plan->shortest, NULL}, 2 * sizeof(*buf));
	return buf;
}

/* One run of one program. 0, also when it failed, which leaves its reason; -EINTR. */
static int take_turn(struct startup_results *res, enum startup_program p, int round, struct child_result *child)
{
	const char *argv[6];
	const int r = child_exec(program_argv(res->plan, p, argv), &res->plan->limits, child);

	if (r == -EINTR)
		return r;
	if (r < 0 || !child_succeeded(child))
		child_reason(r, child, res->na[p], sizeof(res->na[p]));
	else if (child->first_ms < 0)
		snprintf(res->na[p], sizeof(res->na[p]), "it wrote nothing");
	res->first_ms[p][round] = child->first_ms;
	res->exit_ms[p][round] = child->exit_ms;
	return 0;
}

/* Round -1 warms the page cache up and is overwritten. The programs take turns in going first. */
static int run_rounds(struct startup_results *res, struct child_result *child)
{
	int r = 0;

	for (int round = -1; r == 0 && round < res->plan->rounds; round++) {
		log_progress("startup: round %d of %d", round + 1, res->plan->rounds);
		for (int i = 0; r == 0 && i < STARTUP_NR; i++) {
			const enum startup_program p = (i + round + 1 + (int)(res->plan->seed & 1)) % STARTUP_NR;

			if (!*res->na[p])
				r = take_turn(res, p, round < 0 ? 0 : round, child);
		}
	}
	return r;
}

static int find_peaks(struct startup_results *res)
{
	int r = 0;

	for (int p = 0; r == 0 && p < STARTUP_NR; p++) {
		const char *argv[6];

		if (*res->na[p])
			continue;
		r = child_peak_resident(program_argv(res->plan, p, argv), &res->plan->limits, &res->peak_kib[p]);
		if (r < 0 && r != -EINTR) {
			res->peak_kib[p] = r;
			r = 0;
		}
	}
	return r;
}

int startup_run(const struct startup_plan *plan, const struct host_info *host, struct startup_results *ret)
{
	struct child_result *child = malloc(sizeof(*child));
	int r = child ? 0 : -ENOMEM;

	memset(ret, 0, sizeof(*ret));
	ret->plan = plan;
	ret->host = host;
	for (int p = 0; p < STARTUP_NR; p++) {
		ret->first_ms[p] = calloc(plan->rounds, sizeof(double));
		ret->exit_ms[p] = calloc(plan->rounds, sizeof(double));
		if (!ret->first_ms[p] || !ret->exit_ms[p])
			r = -ENOMEM;
		if (host->kvm != HOST_KVM_OK)
			snprintf(ret->na[p], sizeof(ret->na[p]), "%s: %s", host->kvm_path,
			         host->kvm_error ? strerror(host->kvm_error) : "not KVM");
	}
	if (r == 0 && !bench_times_na(host))
		r = run_rounds(ret, child);
	if (r == 0)
		r = find_peaks(ret);
	log_progress("%s", "");
	free(child);
	return r;
}

void startup_results_free(struct startup_results *results)
{
	for (int p = 0; p < STARTUP_NR; p++) {
		free(results->first_ms[p]);
		free(results->exit_ms[p]);
	}
}

bool startup_any(const struct startup_results *results)
{
	return !*results->na[STARTUP_GNOMON] || !*results->na[STARTUP_SHORTEST];
}

static int add_row(struct report *t, const void *results, size_t p)
{
	const struct startup_results *res = results;
	const int n = res->plan->rounds;
	struct stats_summary first, end;
	int r;

	report_row(t);
	report_set_text(t, "program", program_names[p]);
	report_set_text(t, "second_stage", host_second_stage_label(res->host));
	if (*res->na[p]) {
		report_set_rest_na(t, res->na[p]);
		return 0;
	}
	if (res->peak_kib[p] < 0)
		report_set_na(t, "peak_resident", strerror(-res->peak_kib[p]));
	else
		report_set_number(t, "peak_resident", res->peak_kib[p] / KIB_PER_MIB);
	if (bench_times_na(res->host)) {
		report_set_rest_na(t, bench_times_na(res->host));
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
	report_set_number(t, "n", n);
	return 0;
}

int startup_report(const struct startup_results *res, struct report **ret_table)
{
	return report_build(&layout, res, STARTUP_NR, add_row, ret_table);
}

static void explain(const struct startup_results *res, const char *what, double *const ms[STARTUP_NR], FILE *to)
{
	struct stats_ratio ratio;

	if (stats_paired_ratio(ms[STARTUP_GNOMON], ms[STARTUP_SHORTEST], res->plan->rounds, STATS_SEED, &ratio) == 0)
		fprintf(to,
		        "To its %s gnomon takes %.2f times as long as the shortest KVM program (95%% interval %.2f to "
		        "%.2f).\n",
		        what, ratio.median, ratio.ci_low, ratio.ci_high);
}

void startup_explain(const struct startup_results *res, FILE *to)
{
	if (*res->na[STARTUP_GNOMON] || *res->na[STARTUP_SHORTEST] || bench_times_na(res->host))
		return;
	explain(res, "guest's first character", res->first_ms, to);
	explain(res, "exit", res->exit_ms, to);
}
