/* SPDX-License-Identifier: MIT */
/* Which cases of a set have results. Pure. */
#include "bench/workload/op.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

size_t op_nr(const void *results)
{
	const struct op_results *res = results;

	return res->set->nr_cases;
}

void op_case_options(const struct op_case *c, char ret_list[OP_MAX_OPTIONS], char ret_words[OP_MAX_OPTIONS])
{
	size_t len;

	op_options(c->without, ret_list, ret_words);
	if (!c->with)
		return;
	len = strlen(ret_list);
	snprintf(ret_list + len, OP_MAX_OPTIONS - len, ",%s", c->with);
	len = strlen(ret_words);
	snprintf(ret_words + len, OP_MAX_OPTIONS - len, " and %s", c->with);
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
