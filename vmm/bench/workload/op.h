/* SPDX-License-Identifier: MIT */
/*
 * What the workloads `costs`, `balloon`, `enclave` and `nano` share: guest/cost does one operation many times, in
 * blocks that take turns with blocks of the floor, the cheapest trap that the VMM resumes at once. Drift hits both, so
 * that the ratio stands.
 * A workload of this kind is a table of cases, `struct op_set`, and a report. `walks` shares op_line.h alone.
 *
 *   op.c          the turns, and the counts of exits
 *   op_results.c  which cases of a set have results
 *   op_line.c     reads what a run prints
 *   op_native.c   what a native run prints
 */
#ifndef GNOMON_BENCH_WORKLOAD_OP_H
#define GNOMON_BENCH_WORKLOAD_OP_H

#include "bench/stats.h"
#include "bench/workload/op_line.h"
#include "bench/workload/workload.h"

#define OP_MAX_CASES 171

/* One row of the table. Those of the same operation stand next to each other: native, nested, shadow. */
struct op_case {
	const char *row;  /* the guest's name for the operation */
	const char *what; /* one operation, for people; NULL where it is the same as above */
	enum bench_where where;
	const char *without[OP_MAX_WITHOUT]; /* optimisations that would be in the way */
	const char *with;                    /* an optimisation that is not one of all; NULL: none */
	const char *needs;                   /* the optimisation that it is about; NULL: none */
	bool thp;                            /* 2 MiB pages of the host behind the guest's memory */
	uint32_t ops, blocks;                /* of one run; blocks divides ops */
	uint64_t bytes;                      /* that an operation moves; 0: it moves none */
	double floors_bar;                   /* 0: none, as those below */
	double nested_bar;                   /* multiple of the nested row's time */
	double native_bar;                   /* part of the native row's rate, at least */
	double exits_bar;                    /* exits an operation, at most */
	bool builds_none;                    /* and no shadow page */
	const char *monitor;                 /* `gnomon run --enclave-monitor`; NULL: no enclaves */
	bool uncounted;                      /* its operations are too few for two runs of which one does half */
};

/* A native case's run. */
struct op_native {
	const struct op_request *request;
	uint64_t bytes; /* of one operation */
	bool thp;
};

struct op_set {
	const struct op_case *cases;
	size_t nr_cases;                 /* OP_MAX_CASES at most */
	const char *memory;              /* of the guest, for `gnomon run` */
	const char *enclave_memory;      /* of cases with a monitor */
	int (*native)(const void *args); /* for turn_call(), with a struct op_native; NULL: no native cases */
};

/* Of one case. */
struct op_series {
	double *us, *floor_us;     /* an operation's time, by round */
	double exits, pages_built, shadow_events; /* an operation's; not a number where they were not counted */
	bench_reason na;           /* why there is none of all this; "" when there is */
};

struct op_results {
	const struct bench_plan *plan;
	const struct op_set *set; /* outlives the results */
	struct op_series series[OP_MAX_CASES];
	double tsc_mhz;
};

static inline const struct op_case *op_case_of(const struct op_results *results, size_t i)
{
	return &results->set->cases[i];
}

/* op.c: members of a struct workload, whose results are a struct op_results. `begin` calls op_begin(). */
int must_check op_begin(struct op_results *results, const struct op_set *set, const struct bench_plan *plan);
size_t op_nr(const void *results);
bool op_is_due(const void *results, size_t i);
size_t op_group_end(const void *results, size_t first);
void op_leave_out(void *results, size_t i, const char *why);
void op_describe(const void *results, size_t i, char *ret_text, size_t size);
int must_check op_count(void *results, const struct turn *turn); /* as `prepare` */
int must_check op_turn(void *results, const struct turn *turn);
void op_finish(void *results, const struct bench_run *run);
void op_release(void *results);

/* True when anything was measured. */
bool op_any(const void *results);

/* True when the case belongs to what the plan compares. */
bool op_takes_part(const struct op_results *results, size_t i);
/* Case i takes part and was measured. */
bool op_has(const struct op_results *results, size_t i);
/* And not in exits alone, as in an emulated machine. */
bool op_has_times(const struct op_results *results, size_t i);

/* An operation's exits and shadow events, or why there are none. For a case that has results. */
void op_set_counts(struct report *table, const struct op_results *results, size_t i);
/* The shadow pages that it builds, likewise; of a native case nothing. */
void op_set_pages_built(struct report *table, const struct op_results *results, size_t i);

/* Paired times of case a by those of case b. -ENODATA: not both were measured. Else as stats_paired_ratio(). */
int must_check op_time_ratio(const struct op_results *results, size_t a, size_t b, struct stats_ratio *ret_ratio);

#endif
