/* SPDX-License-Identifier: MIT */
/* Which cases of a set have results. Pure. */
#include "bench/workload/op.h"

#include <errno.h>

#include "bench/workload/counts.h"

size_t op_nr(const void *results)
{
	const struct op_results *res = results;

	return res->set->nr_cases;
}

bool op_takes_part(const struct op_results *results, size_t i)
{
	return results->plan->where >> op_case_of(results, i)->where & 1;
}

bool op_has(const struct op_results *results, size_t i)
{
	return op_takes_part(results, i) && !*results->series[i].na;
}

bool op_has_times(const struct op_results *results, size_t i)
{
	return op_has(results, i) && !bench_times_na(results->plan->host);
}

int op_time_ratio(const struct op_results *results, size_t a, size_t b, struct stats_ratio *ret_ratio)
{
	if (!op_has_times(results, a) || !op_has_times(results, b))
		return -ENODATA;
	return stats_paired_ratio(results->series[a].us, results->series[b].us, results->plan->rounds, STATS_SEED,
	                          ret_ratio);
}

void op_set_counts(struct report *t, const struct op_results *res, size_t i)
{
	const struct op_case *c = op_case_of(res, i);
	const struct op_series *s = &res->series[i];
	const char *const none = c->where == BENCH_NATIVE ? "a process of the host exits to nobody"
	                         : c->uncounted ? "it is one enclave, and counts are the difference of two runs"
	                                        : NULL;

	counts_set(t, c->where == BENCH_SHADOW, s->exits, s->shadow_events, none);
}

void op_set_pages_built(struct report *t, const struct op_results *res, size_t i)
{
	const enum bench_where where = op_case_of(res, i)->where;

	if (where == BENCH_SHADOW)
		report_set_number(t, "pages_built", res->series[i].pages_built);
	else if (where == BENCH_NESTED)
		report_set_na(t, "pages_built", "in a nested run it is KVM that builds tables, if anybody");
}

bool op_any(const void *results)
{
	for (size_t i = 0; i < op_nr(results); i++)
		if (op_has(results, i))
			return true;
	return false;
}
