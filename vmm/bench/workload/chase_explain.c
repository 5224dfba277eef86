/* SPDX-License-Identifier: MIT */
#include <errno.h>

#include "bench/stats.h"
#include "bench/workload/chase_parts.h"

#define TOO_WIDE 1.0 /* an interval as 0.04 to 23.4 holds 1, and much else */

/* Of the largest number of pages that has a ratio: one disturbed round of few leaves the largest of all without. */
static void explain_ratio(const struct chase_results *res, enum bench_where w, enum chase_page page, FILE *to)
{
	size_t i = res->nr_sizes - 1;
	char words[STATS_WORDS];
	struct stats_ratio ratio;
	int r;

	if (!(res->plan->where >> w & 1))
		return;
	while ((r = chase_miss_ratio(res, w, page, i, &ratio)) < 0 && i)
		i--;
	if (r == -ENODATA || r == -ENOMEM)
		return;
	if (r < 0) {
		fprintf(to, "At no number of pages of %s is there a ratio of a miss under %s paging to a native one.\n",
		        chase_page_name(page), bench_environments[w].name);
		return;
	}
	fprintf(to, "At %u pages of %s a miss under %s paging costs %.2f times a native one (%s, %d rounds): %s.\n",
	        res->pages[i], chase_page_name(page), bench_environments[w].name, ratio.median,
	        stats_interval(ratio.ci_low, ratio.ci_high, 2, words), (int)ratio.n,
	        ratio.n < STATS_FEWEST                    ? "too few to tell"
	        : ratio.ci_low > 1                        ? "more"
	        : ratio.ci_high < 1                       ? "less"
	        : ratio.ci_high - ratio.ci_low > TOO_WIDE ? "the interval is too wide to tell"
	                                                  : "they agree within noise");
}

/* What was not measured for want of time. */
static void explain_left_out(const struct chase_results *res, FILE *to)
{
	const struct bench_plan *plan = res->plan;
	const size_t last = res->nr_sizes - 1;

	if (res->rounds[0] < plan->rounds)
		fprintf(to, "Left out, to end within %.0f s: %d of %d rounds.\n", plan->seconds,
		        plan->rounds - res->rounds[0], plan->rounds);
	if (!chase_was_measured(res, last))
		fprintf(to, "Left out, to end within %.0f s: %u pages.\n", plan->seconds, res->pages[last]);
	else if (res->rounds[last] < res->rounds[0])
		fprintf(to, "Left out, to end within %.0f s: %d of %d rounds of %u pages.\n", plan->seconds,
		        plan->rounds - res->rounds[last], plan->rounds, res->pages[last]);
}

void chase_find(const void *results, FILE *to)
{
	for (enum bench_where w = BENCH_NATIVE + 1; w < BENCH_NR_WHERE; w++)
		for (enum chase_page page = CHASE_4K; page < CHASE_NR_PAGES; page++)
			explain_ratio(results, w, page, to);
}

void chase_explain(const void *results, FILE *to)
{
	const struct chase_results *res = results;
	const struct host_info *h = res->plan->host;

	if (!bench_times_na(h))
		fprintf(to, "TLB miss = sparse - dense, per load: medians of n rounds, TSC at %.1f MHz.\n",
		        res->tsc_mhz);
	explain_left_out(res, to);
	if (host_stage_is_software(h->second_stage))
		fprintf(
		    to,
		    "Second stage %s: KVM composes guest and host translation into one table in software, and that\n"
		    "is what the CPU walks. A miss in a guest walks one dimension, as a native one does, so they "
		    "should agree.\n",
		    host_second_stage_label(h));
	else if (h->second_stage == HOST_STAGE_EPT || h->second_stage == HOST_STAGE_NPT)
		fprintf(to, "Second stage %s: a miss in a guest walks two dimensions, a native one only one.\n",
		        host_second_stage_label(h));
	bench_explain_host(h, to);
}
