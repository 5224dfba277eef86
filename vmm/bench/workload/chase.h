/* SPDX-License-Identifier: MIT */
/*
 * Workload `chase`: what a TLB miss costs, by a chase through one line a page against one through as many
 * lines side by side (guest/chase_core.h). The same code runs as a process of the host and at guest CPL 3.
 *
 *   chase.c          the workload: a turn is one environment and page size, all numbers of pages
 *   chase_native.c   the chase as a process
 *   chase_report.c   samples to tables
 *   chase_explain.c  and to sentences
 *   chase_line.c     reads what a run prints
 */
#ifndef GNOMON_BENCH_WORKLOAD_CHASE_H
#define GNOMON_BENCH_WORKLOAD_CHASE_H

#include "bench/workload/chase_line.h"
#include "bench/workload/workload.h"

extern const struct workload chase_workload;

enum chase_page { CHASE_4K, CHASE_2M, CHASE_NR_PAGES };

/* Fewest rounds when time is short, of the largest number of pages and of all others. */
#define CHASE_FEWEST_LARGEST 3
#define CHASE_FEWEST         6

/* All rounds of one environment, page size and number of pages, in the rounds' order. */
struct chase_series {
	double *sparse, *dense; /* ns a load once measured */
	struct chase_refs refs; /* of a walk, over the rounds; a guest's own */
};

struct chase_results {
	const struct bench_plan *plan;
	const uint32_t *pages; /* nr_sizes numbers of pages, ascending */
	size_t nr_sizes;
	uint64_t loads; /* of one measurement */
	struct chase_series series[BENCH_NR_WHERE][CHASE_NR_PAGES][CHASE_MAX_SIZES];
	int rounds[CHASE_MAX_SIZES]; /* done, of each number of pages */
	bench_reason na[BENCH_NR_WHERE][CHASE_NR_PAGES];
	double tsc_mhz;
};

/* Does what the guest program `chase` does, as a process: argument a struct chase_request, value an exit status. */
int chase_native(const void *request);

/* The tables of struct chase_results: one row for each environment, page size and number of pages, neighbours being
 * those to be compared; and the ratios of the miss cost to the native one. -ENOMEM. */
int must_check chase_report(const void *results, struct report **ret_table);
int must_check chase_ratio_report(const void *results, struct report **ret_table);

/* What the tables mean on this host, in sentences. */
void chase_find(const void *results, FILE *to);
void chase_explain(const void *results, FILE *to);

#endif
