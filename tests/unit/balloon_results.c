/* SPDX-License-Identifier: MIT */
#include "balloon_results.h"

#include <criterion/criterion.h>
#include <string.h>

static double us[OP_MAX_CASES][2 * ROUNDS];
static const struct host_info host = {.kvm = HOST_KVM_OK, .second_stage = HOST_STAGE_SOFTWARE_NPT0};

struct bench_plan plan;
struct op_results results;
static struct op_set set;

void measured(const struct op_case *cases, size_t nr_cases)
{
	cr_assert_leq(nr_cases, (size_t)OP_MAX_CASES);
	set = (struct op_set){.cases = cases, .nr_cases = nr_cases};
	plan = (struct bench_plan){
	    .host = &host, .where = 1 << BENCH_NATIVE | 1 << BENCH_NESTED | 1 << BENCH_SHADOW, .rounds = ROUNDS};
	results = (struct op_results){.plan = &plan, .set = &set};
	for (size_t i = 0; i < nr_cases; i++) {
		results.series[i] = (struct op_series){.us = us[i], .floor_us = us[i] + ROUNDS, .exits = 0.25};
		times_of(i, 2, 2, 2);
		for (int n = 0; n < ROUNDS; n++)
			results.series[i].floor_us[n] = 1;
	}
}

size_t case_of(const char *row, enum bench_where where, bool thp)
{
	size_t found = OP_MAX_CASES;

	for (size_t i = 0; i < set.nr_cases; i++) {
		const struct op_case *c = &set.cases[i];

		if (strcmp(c->row, row) != 0 || c->where != where || c->thp != thp)
			continue;
		cr_assert_eq(found, (size_t)OP_MAX_CASES, "two cases of %s", row);
		found = i;
	}
	cr_assert_lt(found, (size_t)OP_MAX_CASES, "no case of %s", row);
	return found;
}

void times_of(size_t i, double a, double b, double c)
{
	memcpy(results.series[i].us, (double[ROUNDS]){a, b, c, a, b, c}, ROUNDS * sizeof(double));
}
