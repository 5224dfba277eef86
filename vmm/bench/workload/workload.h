/* SPDX-License-Identifier: MIT */
/*
 * A workload: what `gnomon bench` can measure. It has cases, each of which becomes a row of a table. In each round
 * every case takes one turn: a child process, whose output becomes a sample. The runner (bench/runner.h) walks the
 * rounds, the workload says what a turn is and what the samples mean.
 *
 * A new workload is a file with a `struct workload`, and its entry in catalogue.c.
 */
#ifndef GNOMON_BENCH_WORKLOAD_WORKLOAD_H
#define GNOMON_BENCH_WORKLOAD_WORKLOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "bench/bound.h"
#include "bench/child.h"
#include "bench/environment.h"
#include "bench/report/report.h"

#define WORKLOAD_MAX_CASES  176
#define WORKLOAD_MAX_TABLES 5

/* Files that come with Gnomon. */
enum bench_file { BENCH_KERNEL, BENCH_COST, BENCH_SHORTEST, BENCH_NR_FILES };

#define BENCH_MAX_SIZES 16

/* A guest's pages. */
enum bench_page { BENCH_PAGE_4K, BENCH_PAGE_2M, BENCH_PAGE_1G, BENCH_NR_PAGES };

/* What workloads `miss` and `apps` map, and how much of it. 0: its own choice. */
struct bench_mappings {
	unsigned pages, backings;        /* 1 << enum bench_page, 1 << enum backing */
	uint32_t sizes[BENCH_MAX_SIZES]; /* pages of 4 KiB */
	size_t nr_sizes;
};

/* What is asked of a workload. */
struct bench_plan {
	const struct host_info *host;
	const char *file[BENCH_NR_FILES];
	unsigned where; /* 1 << enum bench_where: environments that take part */
	bool quick;
	int rounds;     /* for the runner's caller 0: the workload's own number */
	double seconds; /* 0: no limit. Otherwise the run ends by then, with fewer rounds (bound.h) */
	uint64_t seed;  /* of the order of turns and of the rings */
	/* Of workloads that go on until they are precise, or for so long. 0: the workload's own. */
	double precision, max_seconds;
	bool aa; /* each environment is measured twice, and compared with itself */
	struct bench_mappings mappings;
	int cpu; /* for these to stay on; negative: any */
	struct child_limits limits;
};

/* Why a case has no samples; "" when it has. */
typedef char bench_reason[512];

/* Parts of a round (bound.h), as bits. */
#define TURN_SMALL   (1u << BOUND_SMALL)
#define TURN_LARGEST (1u << BOUND_LARGEST)
#define TURN_ALL     (TURN_SMALL | TURN_LARGEST)

/* One case's turn. */
struct turn {
	size_t i;       /* the case */
	int round;      /* from 0: where the sample goes */
	unsigned parts; /* TURN_ALL unless the plan has a limit of time */
	bool cut_short; /* `limits` is what is left of the plan's time: -ETIMEDOUT is no fault of the child */
	struct child_limits limits;
	struct child_result *child; /* room for the child's output */
};

/* What the runner knows at the end. */
struct bench_run {
	int done[BOUND_NR_PARTS]; /* whole rounds of each part */
	double tsc_mhz;
};

/*
 * Functions marked "optional" may be NULL. Those that return int give 0 or -errno, and an error ends the run. The
 * failure of a child is no error: it leaves a reason, and the case takes no more turns.
 */
struct workload {
	const char *name;           /* for --only, progress and help */
	const char *what;           /* one line for --help */
	unsigned needs;             /* 1 << enum bench_file: files that must be there */
	bool in_quick;              /* a part of `gnomon bench --quick` */
	bool in_full;               /* a part of `gnomon bench` */
	bool has_arena;             /* all environments share one: mappings, precision, aa and cpu of the plan apply */
	int rounds;                 /* where --runs does not say */
	int quick_rounds;           /* the same with --quick */
	int untimed_rounds;         /* on a host without times (bench_times_na): the same, whatever --runs says */
	double quick_seconds;       /* limit of a run with --quick and without --runs; 0: none */
	double group_seconds;       /* limit of any run with --quick, which does one group's rounds after another's */
	int fewest[BOUND_NR_PARTS]; /* rounds that a run with a limit needs (bound.h) */
	size_t results_size;        /* bytes; the results begin as zeroes */

	/*
	 * Optional: adds to the environment what the figures of this workload depend on. Called even if it does not
	 * run.
	 */
	void (*note)(bool quick, struct report_environment *env);
	/* Keeps the plan, which outlives the results. Gives every case that cannot be measured its reason. */
	int (*begin)(void *results, const struct bench_plan *plan);
	size_t (*nr_cases)(const void *results);
	/* True when the case takes part and has no reason. */
	bool (*is_due)(const void *results, size_t i);
	/* Optional: one past the last case to be compared with case `first`; these take turns in a random order. */
	size_t (*group_end)(const void *results, size_t first);
	/* With group_seconds: there was no time for the case, or a signal came. Gives it this reason. */
	void (*leave_out)(void *results, size_t i, const char *why);
	/* The case, for progress. */
	void (*describe)(const void *results, size_t i, char *ret_text, size_t size);
	/* Optional: what is done once for a case, before the first round. turn->round is 0. */
	int (*prepare)(void *results, const struct turn *turn);
	/* One sample. -EINTR; -ETIMEDOUT only when cut short. */
	int (*turn)(void *results, const struct turn *turn);
	/* Optional: the run was interrupted. Gives every case that has no samples its reason. Without it only whole rounds
	 * count, and none is nothing. */
	void (*interrupted)(void *results);
	/* Optional: after the last round. */
	void (*finish)(void *results, const struct bench_run *run);
	/* True when anything was measured. */
	bool (*any)(const void *results);
	/* The tables. One without anything to say gives NULL and 0. */
	int (*tables[WORKLOAD_MAX_TABLES])(const void *results, struct report **ret_table);
	/* Optional: what the tables mean, in sentences. */
	void (*find)(const void *results, FILE *to); /* the main finding, a line an environment; NULL: none */
	void (*explain)(const void *results, FILE *to);
	/* Optional: frees what `begin` allocated. Called once, also after an error. */
	void (*release)(void *results);
};

/* All workloads, in the order in which they run; NULL behind the last. */
extern const struct workload *const workload_catalogue[];

/* Name number i of the catalogue, NULL behind the last (base/names.h). */
const char *workload_name(size_t i);

#endif
