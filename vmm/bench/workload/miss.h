/* SPDX-License-Identifier: MIT */
/*
 * Workload `miss`: a chase through one arena by all environments in turn. One process has the arena, a VM in each
 * paging mode and the native chase, so that all load the same physical lines in the same order; they take turns of a few
 * milliseconds, in a random order, hundreds of times. What disturbs one disturbs all, and ratios are taken turn by turn.
 * A second native chase in each turn shows what the method itself makes of no difference.
 *
 *   miss.c          the workload: a case is a page size, all of its numbers of pages and environments one run
 *   miss_turns.c    the run: arena, rings, turns, in a process of its own
 *   miss_vm.c       a VM of that process
 *   miss_report.c   samples to a table, and to sentences
 */
#ifndef GNOMON_BENCH_WORKLOAD_MISS_H
#define GNOMON_BENCH_WORKLOAD_MISS_H

#include "../guest/arena.h"
#include "bench/workload/workload.h"

extern const struct workload miss_workload;

enum miss_page { MISS_4K, MISS_2M, MISS_NR_PAGES };
enum miss_who { MISS_NATIVE, MISS_AGAIN, MISS_NESTED, MISS_SHADOW, MISS_NR_WHO };

extern const struct miss_who_is {
	const char *name; /* of a guest: its paging mode */
	enum bench_where where;
} miss_who[MISS_NR_WHO];

#define MISS_MAX_SIZES ARENA_RINGS
#define MISS_MAX_TURNS 1024

/* Of one number of pages. */
struct miss_series {
	double ns[MISS_NR_WHO][MISS_MAX_TURNS]; /* a load; ticks until the run is over */
	uint32_t disturbed[MISS_NR_WHO];        /* turns in which the thread lost its CPU */
	uint64_t loads[MISS_NR_WHO], exits[MISS_NR_WHO];
};

/* What the run writes, in memory that it shares with the benchmark. */
struct miss_samples {
	uint32_t turns;
	struct miss_series series[MISS_MAX_SIZES];
};

struct miss_request {
	const char *image;
	uint32_t pages[MISS_MAX_SIZES]; /* ascending */
	size_t nr_sizes;
	bool huge;
	unsigned who;     /* 1 << enum miss_who */
	uint32_t turns;   /* at most */
	double seconds;   /* no new turn after these */
	double precision; /* half of each ratio's 95 % interval, relative: it is over when all are within */
	int cpu;          /* negative: where it starts */
	uint64_t seed;
	struct miss_samples *samples;
};

/* The run: argument a struct miss_request, value an exit status. */
int miss_turns(const void *request);

/* The widest interval of a ratio to native, as half its width by its median; 0: there is none. -ENOMEM. */
int must_check miss_precision(const struct miss_request *q, uint32_t turns, double *ret_precision);

struct miss_results {
	const struct bench_plan *plan;
	struct miss_request request[MISS_NR_PAGES];
	bench_reason na[MISS_NR_PAGES];
};

/* A row for each page size, number of pages and environment, neighbours being those to be compared. -ENOMEM. */
int must_check miss_report(const void *results, struct report **ret_table);
void miss_explain(const void *results, FILE *to);

#endif
