/* SPDX-License-Identifier: MIT */
/*
 * Workload `sharing`: fingerprints of guest memory (vmm/share), and what guests that run gain by them and by snapshots
 * (bench/workload/sharing_guests.h). Fingerprints are of memory that no guest runs in, so that nothing but the hashing and
 * the comparing takes time; all times of theirs are of the thread on its CPU.
 *
 *   first   the first fingerprint of all pages, beside the hash alone over the same pages in the same turn
 *   k       k pages of one of two equal memories change: what it takes to bring the fingerprint up to date and to find
 *           them by descent, beside memcmp() of everything, and of what a bitmap of written pages names
 */
#ifndef GNOMON_BENCH_WORKLOAD_SHARING_H
#define GNOMON_BENCH_WORKLOAD_SHARING_H

#include "bench/workload/sharing_guests.h"
#include "bench/workload/workload.h"
#include "share/fingerprint.h"

#define SHARING_HASHES 2 /* enum share_algorithm */
#define SHARING_KS     8 /* the last is all pages */
#define SHARING_CASES  (SHARING_HASHES * (1 + SHARING_KS))

struct sharing_memory {
	struct guest_mem mem;
	struct stage2 s2;
};

struct sharing_results {
	const struct bench_plan *plan;
	uint64_t size;
	struct sharing_memory memory[2];
	struct fingerprint *f[SHARING_HASHES][2]; /* of each memory */
	uint64_t *map;                            /* the pages that a turn changed */
	bench_reason na;                          /* of all cases */
	/* By case and round, in us. `first` has the hash alone in `other`. */
	double *update[SHARING_CASES], *other[SHARING_CASES], *descent[SHARING_CASES], *bitmap[SHARING_CASES];
	uint64_t comparisons[SHARING_CASES]; /* the most of all rounds */
	struct sharing_guests guests;        /* their cases come behind the others */
	int rounds;                          /* that were done */
};

/* The case's hash, and which of sharing_k it is: -1 for `first`. */
static inline enum share_algorithm sharing_hash(size_t i)
{
	return (enum share_algorithm)(i / (1 + SHARING_KS));
}

static inline int sharing_index(size_t i)
{
	return (int)(i % (1 + SHARING_KS)) - 1;
}

/* sharing_report.c: how many pages change, UINT64_MAX: all; and the tables */
extern const uint64_t sharing_k[SHARING_KS];
int sharing_report_first(const void *results, struct report **ret_table);
int sharing_report_diff(const void *results, struct report **ret_table);
void sharing_explain(const void *results, FILE *to);

/* sharing_guests_report.c */
int sharing_report_snapshot(const void *results, struct report **ret_table);
int sharing_report_restore(const void *results, struct report **ret_table);
int sharing_report_guests(const void *results, struct report **ret_table);
void sharing_guests_explain(const struct sharing_results *res, FILE *to);

extern const struct workload sharing_workload;

#endif
