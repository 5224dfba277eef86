/* SPDX-License-Identifier: MIT */
/*
 * Workload `chase`: what a TLB miss costs, by a chase through one line a page against one through as many
 * lines side by side (guest/chase_core.h). The same code runs as a process of the host and at guest CPL 3.
 *
 *   chase.c          rounds: every environment once in each, in an order of its own
 *   chase_native.c   the chase as a process
 *   chase_report.c   samples to tables and sentences
 *   chase_line.c     what a run prints, read back
 */
#ifndef GNOMON_BENCH_WORKLOAD_CHASE_H
#define GNOMON_BENCH_WORKLOAD_CHASE_H

#include <stdio.h>

#include "bench/workload/chase_line.h"
#include "bench/child.h"
#include "bench/environment.h"
#include "bench/report/report.h"

enum chase_page { CHASE_4K, CHASE_2M, CHASE_NR_PAGES };

struct chase_plan {
	const char *image; /* guest kernel */
	unsigned where;    /* 1 << enum bench_where, each that takes part */
	int rounds;
	double seconds;        /* not 0: end by then, with fewer rounds (bound.h) */
	const uint32_t *pages; /* nr_sizes numbers of pages, ascending */
	size_t nr_sizes;
	uint64_t loads, seed;
	struct child_limits limits;
};

/* Fewest rounds when time is short, of the largest number of pages and of all others. */
#define CHASE_FEWEST_LARGEST 3
#define CHASE_FEWEST         6

/* All rounds of one environment, page size and number of pages, in the rounds' order. */
struct chase_series {
	double *sparse, *dense; /* ns a load once measured */
	struct chase_refs refs; /* of a walk, over the rounds; a guest's own */
};

struct chase_results {
	const struct chase_plan *plan;
	const struct host_info *host;
	struct chase_series series[BENCH_NR_WHERE][CHASE_NR_PAGES][CHASE_MAX_SIZES];
	int rounds[CHASE_MAX_SIZES];                  /* done, of each number of pages */
	char na[BENCH_NR_WHERE][CHASE_NR_PAGES][512]; /* why there are no samples; "" when there are */
	double tsc_mhz;
};

/*
 * Fills *ret; plan and host must outlive it. An environment that fails is left out from there on, with its reason.
 * -EINTR: a signal came. -ENOMEM. chase_results_free() is due in any case.
 */
int must_check chase_run(const struct chase_plan *plan, const struct host_info *host, struct chase_results *ret);
void chase_results_free(struct chase_results *results);

/* True when anything was measured. */
bool chase_any(const struct chase_results *results);

/* Does what the guest program `chase` does, as a process: argument a struct chase_request, value an exit status. */
int chase_native(const void *request);

/* One row for each environment, page size and number of pages, neighbours next to each other. -ENOMEM. */
int must_check chase_report(const struct chase_results *results, struct report **ret_table);

/* Ratios of the miss cost to the native one. -ENOMEM. */
int must_check chase_ratio_report(const struct chase_results *results, struct report **ret_table);

/* What the tables mean on this host, in sentences. */
void chase_explain(const struct chase_results *results, FILE *to);

#endif
