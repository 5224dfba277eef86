/* SPDX-License-Identifier: MIT */
/*
 * Workload `startup`: from exec to the guest's first character and to the end, for `gnomon run IMAGE -- hello`
 * and for the shortest possible KVM program (shortest.c), which is the floor; and the peak resident memory of both.
 */
#ifndef GNOMON_BENCH_WORKLOAD_STARTUP_H
#define GNOMON_BENCH_WORKLOAD_STARTUP_H

#include <stdio.h>

#include "bench/child.h"
#include "bench/report/report.h"

enum startup_program { STARTUP_GNOMON, STARTUP_SHORTEST, STARTUP_NR };

struct startup_plan {
	const char *image;    /* guest kernel */
	const char *shortest; /* the program of shortest.c */
	int rounds;
	uint64_t seed;
	struct child_limits limits;
};

struct startup_results {
	const struct startup_plan *plan;
	const struct host_info *host;
	double *first_ms[STARTUP_NR], *exit_ms[STARTUP_NR]; /* by round */
	long peak_kib[STARTUP_NR];                          /* negative: -errno */
	char na[STARTUP_NR][512];                           /* why there are no samples; "" when there are */
};

/*
 * Fills *ret; plan and host must outlive it. A program that fails is left out from there on, with its reason.
 * -EINTR: a signal came. -ENOMEM. startup_results_free() is due in any case.
 */
int must_check startup_run(const struct startup_plan *plan, const struct host_info *host, struct startup_results *ret);
void startup_results_free(struct startup_results *results);

/* True when anything was measured. */
bool startup_any(const struct startup_results *results);

/* -ENOMEM. */
int must_check startup_report(const struct startup_results *results, struct report **ret_table);

/* Ratio of the two, in sentences. */
void startup_explain(const struct startup_results *results, FILE *to);

#endif
