/* SPDX-License-Identifier: MIT */
/* Which cases of a set have results. Pure. */
#include "bench/workload/op.h"

#include <errno.h>

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

bool op_any(const void *results)
{
	for (size_t i = 0; i < op_nr(results); i++)
		if (op_has(results, i))
			return true;
	return false;
}
