/* SPDX-License-Identifier: MIT */
/*
 * Workload `switch`: how long all vCPUs stand still while a running guest changes its paging mode, by the number of
 * vCPUs and by the size of the guest's tables.
 *
 * A turn is one guest. A forked driver starts it with a control socket, sends `set-paging` again and again, to shadow
 * and back, and prints how long the VMM says that each took, and what it counted until the guest had used its tables
 * for a while in the new mode. Meanwhile the guest chases through pages of 4 KiB: one vCPU is busy and uses all tables,
 * the others are halted.
 *
 *   switch.c         the workload
 *   switch_driver.c  the forked driver
 *   switch_line.c    reads what the driver prints
 *   switch_report.c  the table
 */
#ifndef GNOMON_BENCH_WORKLOAD_SWITCH_H
#define GNOMON_BENCH_WORKLOAD_SWITCH_H

#include "bench/workload/counts.h"
#include "bench/workload/workload.h"

extern const struct workload switch_workload;

/* The mode that a switch leads to. */
enum switch_to { SWITCH_TO_SHADOW, SWITCH_TO_NESTED, SWITCH_NR_TO };

/* As `set-paging` calls it. */
extern const char *const switch_mode[SWITCH_NR_TO];

#define SWITCH_PAIRS     20 /* switches to each mode in one turn */
#define SWITCH_MAX_CASES 16

struct switch_case {
	int cpus;
	uint32_t pages; /* of 4 KiB, that the guest maps */
};

/* What was counted in a round, by the mode that was switched to. */
struct switch_counts {
	struct counts of[SWITCH_NR_TO];
};

struct switch_results {
	const struct bench_plan *plan;
	const struct switch_case *cases;
	size_t nr_cases;                            /* SWITCH_MAX_CASES at most */
	double *us[SWITCH_MAX_CASES][SWITCH_NR_TO]; /* SWITCH_PAIRS of each round, one round behind the other */
	struct switch_counts *counts[SWITCH_MAX_CASES]; /* of each round */
	bench_reason na[SWITCH_MAX_CASES];
};

/* What the driver is asked for. */
struct switch_drive {
	const struct switch_case *c;
	const char *image;  /* guest kernel */
	const char *socket; /* path of the control socket, which the guest makes */
};

/* For turn_call(), with a struct switch_drive: prints SWITCH_PAIRS lines for each mode, in turns, shadow first. */
int switch_drive(const void *drive);

/*
 * The whole output of the driver, in us: SWITCH_PAIRS values for each mode, and the sum of what was counted. -EBADMSG: a
 * line is not "switch to=MODE ns=N exits=N shadow-events=N", or there are fewer or more of them. Nothing is written on
 * failure.
 */
int must_check switch_output_parse(const char *text, size_t len, double *const ret_us[SWITCH_NR_TO],
                                   struct switch_counts *ret_counts);

/* KiB of leaf tables that map so many pages. */
double switch_tables_kib(uint32_t pages);

/* The table of a struct switch_results: two rows for each case, one for each mode. -ENOMEM. */
int must_check switch_report(const void *results, struct report **ret_table);

/* What the table means. Nothing if nothing was measured. */
void switch_explain(const void *results, FILE *to);

/* True when anything was measured. */
bool switch_any(const void *results);

#endif
