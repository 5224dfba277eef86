/* SPDX-License-Identifier: MIT */
/*
 * Workload `balloon`: what it takes to take memory from a guest and to give it back, beside what the host itself needs
 * to discard as much of a process's memory. Its rows are measured as those of `costs` (bench/workload/cost.h); guest/cost has a
 * driver of the balloon for them.
 */
#ifndef GNOMON_BENCH_WORKLOAD_BALLOON_H
#define GNOMON_BENCH_WORKLOAD_BALLOON_H

#include "bench/workload/cost.h"

#define BALLOON_GUEST_MEMORY "256M" /* guest/cost/cost.h: COST_MEMORY */

extern const struct cost_case balloon_cases[];
extern const size_t balloon_nr_cases;

struct balloon_native {
	const struct cost_request *request;
	uint64_t bytes; /* of one operation */
	bool thp;
};

/* For child_call(): the discards of a native row, with output as guest/cost's; a floor is a system call. */
int balloon_native(const void *native);

/* One row for each case. -ENOMEM. */
int must_check balloon_report(const struct cost_results *results, struct report **ret_table);

/* What the table means, and which bars are met. Nothing if nothing was measured. */
void balloon_explain(const struct cost_results *results, FILE *to);

#endif
