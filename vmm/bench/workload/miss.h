/* SPDX-License-Identifier: MIT */
/*
 * Workload `miss`: a chase through one arena by all environments in turn. One process has the arena, a VM in each
 * paging mode and the native chase, so that all load the same physical lines in the same order; they take turns of a few
 * milliseconds, in a random order, hundreds of times. What disturbs one disturbs all, and ratios are taken turn by turn.
 * A second native chase in each turn shows what the method itself makes of no difference, and a loop written by hand
 * what the chase itself adds: whatever made all of them slower would show nowhere else.
 *
 *   miss.c          the workload: a case is a mapping with all of its numbers of pages, or the strides; all of its
 *                   rings and environments are one run
 *   miss_mapping.c  which mappings and sizes there are
 *   miss_turns.c    the run: rings, turns, in a process of its own
 *   miss_arena.c    its arena
 *   miss_reference.c  the loop written by hand
 *   miss_clock.h    the TSC beside the host's clock
 *   miss_steal.c    how long the CPU was another guest's
 *   miss_hand.c     a thread that does blocks, when it is told to
 *   miss_vm.c       a VM of that process: its vCPU's thread is one
 *   miss_native.c   one for the process itself
 *   miss_pmu.c      a hardware counter of a thread
 *   miss_series.c   samples to numbers
 *   miss_report.c   these to a table, and to sentences
 *   miss_levels.c   the same for strides: what each level of a walk costs
 */
#ifndef GNOMON_BENCH_WORKLOAD_MISS_H
#define GNOMON_BENCH_WORKLOAD_MISS_H

#include "../guest/arena.h"
#include "bench/stats.h"
#include "bench/workload/workload.h"
#include "mem/backing.h"
#include "model/walk_live.h"

extern const struct workload miss_workload;

enum miss_who {
	MISS_REFERENCE, /* the loop of miss_reference.c */
	MISS_NATIVE,
	MISS_NATIVE_AGAIN,
	MISS_NESTED,
	MISS_NESTED_AGAIN, /* the same VM once more in each turn; with --aa */
	MISS_SHADOW,
	MISS_SHADOW_AGAIN,
	MISS_NR_WHO
};

extern const struct miss_who_is {
	const char *name; /* of a guest: its paging mode */
	enum bench_where where;
	enum miss_who of; /* whose loads its own are compared with (miss_base()) */
	bool again;       /* `of` once more */
} miss_who[MISS_NR_WHO];

#define MISS_MAX_RINGS ARENA_RINGS
#define MISS_MAX_TURNS 1024

struct miss_ring {
	uint32_t pages;
	enum arena_stride stride;
	bool cold; /* the caches are swept before each block, so that the walk's entries come from memory */
};

/* Loads of a block come in sixteens (guest/arena.h). */
#define MISS_WHOLE(n) (((n) + 15) / 16 * 16)

/*
 * The loads before those that are timed: once round the ring where a block does that in its time. Each environment has to
 * find its page tables in the caches. Native has the others' blocks to thank for that otherwise: those that share its
 * tables are three in a turn. With half a lap guests came out as 1.10 at 8192 pages.
 */
uint64_t miss_warm_loads(const struct miss_ring *ring);

/* Of one ring. */
struct miss_series {
	double ns[MISS_NR_WHO][MISS_MAX_TURNS]; /* a load; ticks until miss_scale() */
	bool disturbed[MISS_NR_WHO][MISS_MAX_TURNS]; /* the thread lost its CPU */
	uint64_t loads[MISS_NR_WHO], exits[MISS_NR_WHO];
	uint64_t shadow_events[MISS_NR_WHO];
	uint64_t counted[MISS_NR_WHO],
	    dtlb[MISS_NR_WHO];              /* loads, those not timed, too; and their misses (miss_pmu.h) */
	struct walk_refs refs[MISS_NR_WHO]; /* of guests */
};

/* What the run writes, in memory that it shares with the benchmark. */
struct miss_samples {
	uint32_t turns;
	uint32_t jumps;            /* turns that were taken anew, because the clocks did not agree */
	double rate;               /* of the TSC in these turns, ticks a microsecond */
	double stolen; /* seconds of these that the CPU was given to another guest; not a number: not known */
	double seconds, in_blocks, timed; /* that all turns took, their blocks, and of these the loads that are timed */
	int pmu_error;                    /* errno: why dtlb[] is nothing */
	bool scaled;                      /* ns[] is in ns */
	struct miss_series series[MISS_MAX_RINGS];
};

struct miss_request {
	const char *image;
	struct miss_ring ring[MISS_MAX_RINGS];
	size_t nr_rings;
	enum arena_app app;   /* in place of the chase; it has one ring, whose pages it uses all */
	enum arena_kind kind; /* the guests' pages */
	enum backing backing; /* the host's */
	unsigned who;     /* 1 << enum miss_who */
	unsigned unable;  /* the same: asked for, but this host cannot have them in this mapping */
	uint32_t turns;   /* at most */
	double seconds;   /* no new turn after these */
	double precision; /* half of each ratio's 95 % interval, relative: it is over when all are within */
	int cpu;          /* negative: where it starts */
	uint64_t seed;
	struct miss_samples *samples;
};

/* The run: argument a struct miss_request, value an exit status. */
int miss_turns(const void *request);

/* As arena_run(), and with no line of it (guest/arena.h). */
void miss_reference(struct arena_block *b);

/* Ticks to ns, once, when no run adds to them any more: it came to its end, or was ended. Of turns that are complete. */
void miss_scale(struct miss_samples *s);

/* Whether a guest's answer to a block of so many loads is one: a program of another build may write anything there. */
bool miss_is_done(const struct arena_block *b, uint64_t loads);

/* Ticks of a load, or of an operation: by the median part of the block. What came between in one of them is not in it. */
double miss_ticks(const struct arena_block *b);

/* What `who` is compared with in this run; `who` itself: with nothing. */
enum miss_who miss_base(const struct miss_request *q, enum miss_who who);

/* Loads in a ring by those they are compared with, of the first `turns`. As stats_paired_ratio(). */
int must_check miss_ratio(const struct miss_request *q, size_t ring, enum miss_who who, uint32_t turns,
                          struct stats_ratio *ret_ratio);

/* Adds how many environments are compared with themselves, and of how many the interval holds 1. */
void miss_count_again(const struct miss_request *q, unsigned *rows, unsigned *held);

/* The widest interval of a ratio, as half its width by its median; 0: there is none. -ENOMEM. */
int must_check miss_precision(const struct miss_request *q, uint32_t turns, double *ret_precision);

#define MISS_MAX_CASES WORKLOAD_MAX_CASES

/* A case of `miss` is a mapping; its rings are numbers of pages, or strides. One of `apps` is an application, too. */
struct miss_results {
	const struct bench_plan *plan;
	size_t nr;
	struct miss_request request[MISS_MAX_CASES];
	bench_reason na[MISS_MAX_CASES];
};

/* Chooses the cases of `miss`, and of `apps`: kind, backing and rings of each request. -E2BIG, logged: too many. */
int must_check miss_choose(struct miss_results *res);
int must_check miss_choose_apps(struct miss_results *res);

/* "4k on thp", in buf; the guest's pages on the host's. */
#define MISS_MAPPING_WORDS 32
const char *miss_mapping_name(const struct miss_request *q, char buf[MISS_MAPPING_WORDS]);
/* "pages of 4k on thp", or "pages that lie apart". */
const char *miss_mapping_words(const struct miss_request *q, char buf[MISS_MAPPING_WORDS]);

/* Bytes from ARENA_AT on: those of the largest ring, rounded up to 2 MiB or to a page of the host's pool. */
uint64_t miss_arena_bytes(const struct miss_request *q);

/*
 * Members of a struct workload. `begin` calls miss_begin(), which chooses the cases by `choose`, and gives each `quick` or
 * `full` seconds of turns unless the plan says something else.
 */
int must_check miss_begin(struct miss_results *res, const struct bench_plan *plan,
                          int (*choose)(struct miss_results *res), double quick, double full);
size_t miss_nr_cases(const void *results);
bool miss_is_due(const void *results, size_t i);
int must_check miss_turn(void *results, const struct turn *turn);
void miss_interrupted(void *results);
bool miss_any(const void *results);
void miss_release(void *results);

/* The number of the mapping of pages that lie apart; `nr`: it was not chosen. */
size_t miss_apart(const struct miss_results *res);

/* What tables have in common: where a ring's row was measured, and why an environment is unable. */
void miss_set_place(struct report *table, const struct host_info *host, const struct miss_request *q, size_t ring,
                    enum miss_who who);
extern const char miss_unable_words[];
extern const char *const miss_undrawn[]; /* of pictures: environments that check the method */

/* The same: ns, exits and turns of a ring in an environment. -ENOMEM. */
int must_check miss_set_samples(struct report *table, const struct host_info *host, const struct miss_request *q,
                                size_t ring, enum miss_who who);

/* A row for each page size, number of pages and environment, neighbours being those to be compared. -ENOMEM. */
int must_check miss_report(const void *results, struct report **ret_table);

/* A row for warm and cold, each environment and each stride. -ENOMEM. */
int must_check miss_levels(const void *results, struct report **ret_table);
void miss_find(const void *results, FILE *to);
void miss_explain(const void *results, FILE *to);

void miss_explain_levels(const struct miss_request *q, FILE *to);

#endif
