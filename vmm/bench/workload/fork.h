/* SPDX-License-Identifier: MIT */
/*
 * Workload `fork`: how long the guest kernel's fork takes with so much memory, when the child shares all page tables
 * and when it gets copies of them (guest/user/fork.c); and what the first writes afterwards copy.
 */
#ifndef GNOMON_BENCH_WORKLOAD_FORK_H
#define GNOMON_BENCH_WORKLOAD_FORK_H

#include "bench/workload/workload.h"

enum fork_way { FORK_SHARING, FORK_COPYING, FORK_NR_WAYS };

struct fork_sample {
	double ticks;
	uint64_t tables;                      /* that one more process takes */
	uint64_t copied_tables, copied_pages; /* by the fork and by the writes of both processes */
};

/* Reads what `fork both MIB` printed, a line for each way. -EINVAL: it is something else. */
int must_check fork_output_parse(const char *out, size_t len, unsigned mib,
                                 struct fork_sample ret_sample[FORK_NR_WAYS]);

extern const struct workload fork_workload;

#endif
