/* SPDX-License-Identifier: MIT */
/*
 * Runs a workload: rounds of turns in a random order, progress, the limit of time, the end by a signal. The same for
 * all workloads.
 */
#ifndef GNOMON_BENCH_RUNNER_H
#define GNOMON_BENCH_RUNNER_H

#include "bench/workload/workload.h"

/* Where the results go. */
struct runner_output {
	/* Takes over a finished table. -errno ends the run. */
	int (*take)(void *arg, struct report *table);
	void *arg;
	FILE *text;            /* for the sentences under the tables; NULL: nobody reads them */
	FILE *finding, *words; /* for these sentences alone, the main finding and the others, likewise */
};

/* The plan of this workload: `asked` with the workload's own rounds and limit where none are given. */
struct bench_plan runner_plan(const struct workload *w, const struct bench_plan *asked);

/*
 * Runs all rounds and gives the tables away. *ret_measured becomes true when anything was measured, and is left as it
 * is otherwise. -EINTR: a signal came; other -errno of the host or of output->take.
 */
int must_check runner_run(const struct workload *w, const struct bench_plan *asked, const struct runner_output *output,
                          bool *ret_measured);

#endif
