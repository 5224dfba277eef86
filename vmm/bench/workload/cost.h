/* SPDX-License-Identifier: MIT */
/*
 * Workload `costs`: what one event of paging costs (a fault, a CR3 load, a write to a page table, ...), in nested and
 * in shadow mode, as a multiple of the floor: the cheapest trap that the VMM resumes at once. guest/cost does each of
 * them many times, in blocks that take turns with blocks of the floor, so that drift hits both.
 */
#ifndef GNOMON_BENCH_WORKLOAD_COST_H
#define GNOMON_BENCH_WORKLOAD_COST_H

#include <stdio.h>

#include "bench/child.h"
#include "bench/workload/cost_line.h"
#include "bench/environment.h"
#include "bench/report/report.h"
#include "bench/stats.h"

#define COST_MAX_CASES 48

/* One row of the table. Those of the same operation stand next to each other: native, nested, shadow. */
struct cost_case {
	const char *row;  /* the guest's name for the operation */
	const char *what; /* one operation, for people; NULL where it is the same as above */
	enum bench_where where;
	const char *without[COST_MAX_WITHOUT]; /* optimisations that would be in the way */
	const char *needs;                     /* the optimisation that it is about; NULL: none */
	bool thp;                              /* 2 MiB pages of the host behind the guest's memory */
	uint32_t ops, blocks;                  /* of one run; blocks divides ops */
	uint64_t bytes;                        /* that an operation moves; 0: it moves none */
	double floors_bar;                     /* 0: none, as those below */
	double nested_bar;                     /* multiple of the nested row's time */
	double native_bar;                     /* part of the native row's rate, at least */
	double exits_bar;                      /* exits an operation, at most */
	bool builds_none;                      /* and no shadow page */
};

/* The rows of the workload `costs`. */
extern const struct cost_case cost_cases[];
extern const size_t cost_nr_cases;

struct cost_plan {
	const char *name; /* of the workload, for the progress */
	const struct cost_case *cases;
	size_t nr_cases;    /* COST_MAX_CASES at most */
	const char *memory; /* of the guest, for `gnomon run` */
	const char *image;  /* guest/cost.elf */
	unsigned where;     /* 1 << enum bench_where */
	int rounds;
	uint64_t seed;
	struct child_limits limits;
};

/* Of one case. */
struct cost_series {
	double *us, *floor_us;     /* an operation's time, by round */
	double exits, pages_built; /* an operation's */
	char na[512];              /* why there is none of all this; "" when there is */
};

struct cost_results {
	const struct cost_plan *plan;
	const struct host_info *host;
	struct cost_series series[COST_MAX_CASES];
	double tsc_mhz;
};

static inline const struct cost_case *cost_case_of(const struct cost_results *results, size_t i)
{
	return &results->plan->cases[i];
}

/*
 * Fills *ret; plan and host must outlive it. A case that fails is left out from there on, with its reason.
 * -EINTR: a signal came. -ENOMEM. cost_results_free() is due in any case.
 */
int must_check cost_run(const struct cost_plan *plan, const struct host_info *host, struct cost_results *ret);
void cost_results_free(struct cost_results *results);

/* True when anything was measured. */
bool cost_any(const struct cost_results *results);

/* Whether the case belongs to what the plan compares. */
bool cost_takes_part(const struct cost_results *results, size_t i);
/* Case i takes part and was measured. */
bool cost_has(const struct cost_results *results, size_t i);
/* And not in exits alone, as in an emulated machine. */
bool cost_has_times(const struct cost_results *results, size_t i);

/* Paired times of case a by those of case b. -ENODATA: not both were measured. Else as stats_paired_ratio(). */
int must_check cost_time_ratio(const struct cost_results *results, size_t a, size_t b, struct stats_ratio *ret_ratio);

/* One row for each case. -ENOMEM. */
int must_check cost_report(const struct cost_results *results, struct report **ret_table);

/* Each shadow row's time by that of the nested row of the same operation. -ENOMEM. */
int must_check cost_ratio_report(const struct cost_results *results, struct report **ret_table);

/* What the tables mean, and which bars are met. Nothing if nothing was measured. */
void cost_explain(const struct cost_results *results, FILE *to);

#endif
