/* SPDX-License-Identifier: MIT */
/*
 * What the workloads `costs` and `balloon` have in common: guest/cost does one operation many times, in blocks that
 * take turns with blocks of the floor, the cheapest trap that the VMM resumes at once. Drift hits both, so that the
 * ratio stands. A workload of this kind is a table of cases, `struct cost_set`, and a report.
 *
 *   cost.c         the turns, and the counts of exits
 *   cost_cases.c   the cases of `costs`, and which cases of any set have results
 *   cost_line.c    reads what a run prints
 *   cost_report.c  the tables of `costs`
 *   costs.c        the workload `costs`
 */
#ifndef GNOMON_BENCH_WORKLOAD_COST_H
#define GNOMON_BENCH_WORKLOAD_COST_H

#include "bench/stats.h"
#include "bench/workload/cost_line.h"
#include "bench/workload/workload.h"

/* What one event of paging costs (a fault, a CR3 load, a write to a page table, ...), in nested and in shadow mode. */
extern const struct workload costs_workload;

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

/* A native case's run. */
struct cost_native {
	const struct cost_request *request;
	uint64_t bytes; /* of one operation */
	bool thp;
};

struct cost_set {
	const struct cost_case *cases;
	size_t nr_cases;                 /* COST_MAX_CASES at most */
	const char *memory;              /* of the guest, for `gnomon run` */
	int (*native)(const void *args); /* for turn_call(), with a struct cost_native; NULL: no native cases */
};

/* The cases of the workload `costs`. */
extern const struct cost_set costs_set;

/* Of one case. */
struct cost_series {
	double *us, *floor_us;     /* an operation's time, by round */
	double exits, pages_built; /* an operation's; not a number where they were not counted */
	bench_reason na;           /* why there is none of all this; "" when there is */
};

struct cost_results {
	const struct bench_plan *plan;
	const struct cost_set *set; /* outlives the results */
	struct cost_series series[COST_MAX_CASES];
	double tsc_mhz;
};

static inline const struct cost_case *cost_case_of(const struct cost_results *results, size_t i)
{
	return &results->set->cases[i];
}

/* cost.c: members of a struct workload, whose results are a struct cost_results. `begin` calls cost_begin(). */
int must_check cost_begin(struct cost_results *results, const struct cost_set *set, const struct bench_plan *plan);
size_t cost_nr(const void *results);
bool cost_is_due(const void *results, size_t i);
size_t cost_group_end(const void *results, size_t first);
void cost_describe(const void *results, size_t i, char *ret_text, size_t size);
int must_check cost_count(void *results, const struct turn *turn); /* as `prepare` */
int must_check cost_turn(void *results, const struct turn *turn);
void cost_finish(void *results, const struct bench_run *run);
void cost_release(void *results);

/* True when anything was measured. */
bool cost_any(const void *results);

/* True when the case belongs to what the plan compares. */
bool cost_takes_part(const struct cost_results *results, size_t i);
/* Case i takes part and was measured. */
bool cost_has(const struct cost_results *results, size_t i);
/* And not in exits alone, as in an emulated machine. */
bool cost_has_times(const struct cost_results *results, size_t i);

/* Paired times of case a by those of case b. -ENODATA: not both were measured. Else as stats_paired_ratio(). */
int must_check cost_time_ratio(const struct cost_results *results, size_t a, size_t b, struct stats_ratio *ret_ratio);

/* The tables of a struct cost_results: one row for each case; and, when both modes take part, each shadow row's time by
 * that of the nested row of the same operation. -ENOMEM. */
int must_check cost_report(const void *results, struct report **ret_table);
int must_check cost_ratio_report(const void *results, struct report **ret_table);

/* What the tables mean, and which bars are met. Nothing if nothing was measured. */
void cost_explain(const void *results, FILE *to);

#endif
