/* SPDX-License-Identifier: MIT */
/* What the table `balloon` means, in sentences: which bars are met, and what rows say of each other. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bench/workload/balloon_parts.h"

static void explain_bars(const struct op_results *res, size_t i, FILE *to)
{
	const struct op_case *c = op_case_of(res, i);
	const char *where = bench_environments[c->where].name;
	struct stats_ratio ratio;

	if (c->native_bar > 0 && op_has_times(res, i) && balloon_of_native(res, i, &ratio) == 0)
		fprintf(to, "%s on %s, %s: %.2f of the host's own rate, bar %.2f: %s.\n", c->row, c->thp ? "thp" : "4k",
		        where, ratio.median, c->native_bar, stats_bar(&ratio, c->native_bar, true));
	else if (c->native_bar > 0 && op_has_times(res, i))
		fprintf(to, "%s on %s, %s: the native row was not measured, so its bar was not either.\n", c->row,
		        c->thp ? "thp" : "4k", where);
	if (c->exits_bar > 0)
		fprintf(to, "%s, %s: %.5f exits a page, bar %.5f: %s.\n", c->row, where, res->series[i].exits,
		        c->exits_bar, res->series[i].exits <= c->exits_bar ? "met" : "NOT met");
}

/* One sentence on two rows of one run. */
static void explain_pair(const struct op_results *res, const char *a, const char *b, bool thp, const char *fmt,
                         FILE *to)
{
	for (int where = BENCH_NESTED; where <= BENCH_SHADOW; where++) {
		char words[STATS_WORDS];
		struct stats_ratio ratio;
		size_t i, j;

		if (balloon_find(res, a, where, thp, &i) < 0 || balloon_find(res, b, where, thp, &j) < 0 ||
		    op_time_ratio(res, i, j, &ratio) < 0)
			continue;
		fprintf(to, fmt, bench_environments[where].name, ratio.median);
		fprintf(to, " (%s).\n", stats_interval(ratio.ci_low, ratio.ci_high, 2, words));
	}
}

/* A load of a row less a dense one, round by round: what a TLB miss costs. The caller frees it. */
static int tlb_miss(const struct op_results *res, const char *row, enum bench_where where, double **ret_us)
{
	size_t sparse, dense;
	double *us;

	if (balloon_find(res, row, where, true, &sparse) < 0 ||
	    balloon_find(res, "load-dense", where, true, &dense) < 0 || !op_has_times(res, sparse) ||
	    !op_has_times(res, dense))
		return -ENODATA;
	us = calloc(res->plan->rounds, sizeof(*us));
	if (!us)
		return -ENOMEM;
	for (int i = 0; i < res->plan->rounds; i++)
		us[i] = res->series[sparse].us[i] - res->series[dense].us[i];
	*ret_us = us;
	return 0;
}

/* After the change that a row names, against `before`. */
static void explain_tlb_after(const struct op_results *res, const char *row, enum bench_where where,
                              const double *before, const char *when, FILE *to)
{
	struct stats_ratio ratio;
	char words[STATS_WORDS];
	double *us;

	if (tlb_miss(res, row, where, &us) < 0)
		return;
	if (stats_paired_ratio(us, before, res->plan->rounds, STATS_SEED, &ratio) == 0)
		fprintf(to, "  %s %.2f times that (%s)\n", when, ratio.median,
		        stats_interval(ratio.ci_low, ratio.ci_high, 2, words));
	else
		fprintf(to, "  %s n/a: a load was no slower than a dense one in some round\n", when);
	free(us);
}

static void explain_tlb(const struct op_results *res, enum bench_where where, FILE *to)
{
	struct stats_summary s;
	char words[STATS_WORDS];
	double *before;

	if (tlb_miss(res, "load", where, &before) < 0)
		return;
	if (stats_summarise(before, res->plan->rounds, STATS_SEED, &s) == 0) {
		fprintf(to, "A TLB miss (load less load-dense) in %s mode costs %.0f ns (%s);\n",
		        bench_environments[where].name, s.median * 1e3,
		        stats_interval(s.ci_low * 1e3, s.ci_high * 1e3, 0, words));
		explain_tlb_after(res, "load-holes", where, before, "with a hole in each 2 MiB", to);
		explain_tlb_after(res, "load-joined", where, before, "after the collapse", to);
	}
	free(before);
}

static void explain_times(const struct op_results *res, FILE *to)
{
	fprintf(
	    to,
	    "Times are an operation's: a page of 4 KiB, a run of 2 MiB, one split, one load. A guest's are its own "
	    "from\n"
	    "before it writes the page numbers down until the device has used the request, while it runs in a loop on\n"
	    "its only CPU; the median block of a run, and of that the median of %d rounds. Native rows are "
	    "MADV_DONTNEED\n"
	    "of as many pages of a process, by one thread, and no KVM has mapped them. In reclaim of 2 MiB runs the "
	    "vCPU's\n"
	    "thread, which is out of the guest meanwhile, helps the device's. Exits are counted, not timed.\n",
	    res->plan->rounds);
}

void balloon_explain(const void *results, FILE *to)
{
	const struct op_results *res = results;

	if (!op_any(res))
		return;
	if (bench_times_na(res->plan->host))
		fputs("Exits are counted: the difference of two runs, one with twice as many operations.\n", to);
	else
		explain_times(res, to);
	for (size_t i = 0; i < res->set->nr_cases; i++)
		if (op_case_of(res, i)->what)
			fprintf(to, "  %-21s %s\n", op_case_of(res, i)->row, op_case_of(res, i)->what);
	for (size_t i = 0; i < res->set->nr_cases; i++)
		if (op_has(res, i))
			explain_bars(res, i, to);
	explain_pair(res, "reclaim-2m-report", "reclaim-2m", false,
	             "A process's memory has no KVM to tell: of the host's rate for memory that a guest has mapped "
	             "(report, 4k)\n"
	             "reclaim in %s mode reaches %.2f",
	             to);
	explain_pair(res, "reclaim-2m-report", "reclaim-2m", true, "The same on thp: %s mode reaches %.2f", to);
	explain_pair(res, "slice-zap", "slice-split", false,
	             "Taking 2 MiB to get 64 KiB costs %s mode %.2f times a split", to);
	explain_tlb(res, BENCH_NESTED, to);
	explain_tlb(res, BENCH_SHADOW, to);
}
