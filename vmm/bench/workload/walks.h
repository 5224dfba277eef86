/* SPDX-License-Identifier: MIT */
/*
 * Workload `walks`: how many table entries page walks read, beside what the model says. Loads miss the TLB
 * one by one, in a guest (guest/cost/walks.c) or a process, while an emulator counts what its page walker reads
 * (walk_counter.h). Only the machine of tools/ept-host has that counter. In other emulators there is the model alone.
 *
 *   walks.c           one run for each case
 *   walks_cases.c     the cases
 *   walks_counter.c   the counter, by its I/O port
 *   walks_native.c    the loads as a process
 *   walks_line.c      reads what a guest prints
 *   walks_report.c    the table
 */
#ifndef GNOMON_BENCH_WORKLOAD_WALKS_H
#define GNOMON_BENCH_WORKLOAD_WALKS_H

#include <gnomon/walk_counter.h>

#include "bench/workload/walks_line.h"
#include "bench/workload/workload.h"
#include "mem/backing.h"

extern const struct workload walks_workload;

enum walks_page { WALKS_4K, WALKS_2M, WALKS_1G, WALKS_NR_PAGES };

/* The 2 MiB pages that the ring lies on are as they were; have a hole, 4 KiB that the balloon took; are whole again. */
enum walks_state { WALKS_PLAIN, WALKS_HOLES, WALKS_JOINED, WALKS_NR_STATES };

extern const char *const walks_page_name[WALKS_NR_PAGES];
extern const char *const walks_state_name[WALKS_NR_STATES];

struct walks_case {
	enum bench_where where;
	enum walks_page page; /* of the guest's tables, or the process's */
	enum backing backing;
	enum walks_state state;
};

#define WALKS_MAX_CASES 48

/*
 * The cases of environments `where` (1 << enum bench_where); `quick`: only nothing taken, on 4k and thp. The balloon
 * takes no part of a page of a hugetlb pool, so there are no holes there. Returns how many.
 */
size_t walks_cases(unsigned where, bool quick, struct walks_case ret_cases[WALKS_MAX_CASES]);

struct walks_result {
	struct walks_model model;           /* low 0: not known */
	uint64_t reads[WALK_MAX_READS + 1]; /* how many walks of the ring made so many reads */
	uint64_t exits;                     /* VM exits meanwhile */
	bench_reason na;                    /* why there is none of all this, the model included; "" when there is */
};

struct walks_results {
	const struct bench_plan *plan;
	const char *no_counter; /* why nothing counts, so that a case has the model alone; NULL: something does */
	uint32_t loads;         /* a multiple of 16 */
	struct walks_case cases[WALKS_MAX_CASES];
	struct walks_result result[WALKS_MAX_CASES];
	size_t nr_cases;
};

/* True when anything was counted, or the model says something of it. */
bool walks_any(const void *results);

/* Walks to a case's ring that were counted. */
uint64_t walks_counted(const struct walks_result *result);

/* The table of a struct walks_results: one row for each case. -ENOMEM. */
int must_check walks_report(const void *results, struct report **ret_table);

/* What the columns mean. Nothing if there is no figure. */
void walks_explain(const void *results, FILE *to);

/* walks_native.c, for child_call(): a process's run of struct walks_native. */
struct walks_native {
	enum backing backing;
	uint32_t loads;
};
int walks_native(const void *native);

#endif
