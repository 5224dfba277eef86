/* SPDX-License-Identifier: MIT */
/*
 * Made-up results of the workload `balloon`, for the suite `bench_balloon`: every case of a plan has times, until a
 * test says otherwise. No child runs and no KVM is asked.
 */
#ifndef TESTS_UNIT_BALLOON_RESULTS_H
#define TESTS_UNIT_BALLOON_RESULTS_H

#include "bench/workload/balloon.h"

#define ROUNDS 6
#define STAGE  "software (npt=0)" /* of the host that they are from */

extern struct bench_plan plan;
extern struct op_results results;

/*
 * Fills `results` with these cases, all of which take part: operations of 2 us beside floors of 1 us, 0.25 exits each.
 * The plan's own cases are measured anew; times given before are gone.
 */
void measured(const struct op_case *cases, size_t nr_cases);

/* The case of the plan; fails the test if there is none, or two. */
size_t case_of(const char *row, enum bench_where where, bool thp);

/* Times of a case by round, us: these three, twice. */
void times_of(size_t i, double a, double b, double c);

#endif
