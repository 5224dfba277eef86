/* SPDX-License-Identifier: MIT */
/*
 * Workload `enclave`: what it costs to enter, leave and build enclaves, and how long their page walks are. Its cases
 * run as those of `costs` do (op.h): guest/cost/enclave.c is the guest's kernel.
 *
 *   enclave.c          the workload; the runs that count walks
 *   enclave_cases.c    the cases
 *   enclave_native.c   the native ones: BLAKE2b alone, and the rules of vmm/enclave without a monitor
 *   enclave_line.c     reads what a run says of walks
 *   enclave_report.c   the table of costs
 *   enclave_walks.c    the table of walks
 *   enclave_explain.c  what they mean, in sentences
 */
#ifndef GNOMON_BENCH_WORKLOAD_ENCLAVE_H
#define GNOMON_BENCH_WORKLOAD_ENCLAVE_H

#include "bench/workload/op.h"
#include "bench/workload/walks_line.h"

extern const struct workload enclave_workload;

/* The cases that --quick leaves out are the last ones. */
extern const struct op_set enclave_set, enclave_quick_set;

/* What is counted of an enclave's walks: without a second stage; with one, in both readings of walk.h's 3-D. */
enum enclave_walk { ENCLAVE_WALK_COMPOSED, ENCLAVE_WALK_ONCE, ENCLAVE_WALK_EVERY, ENCLAVE_NR_WALKS };

#define ENCLAVE_NR_SWEEPS 2 /* over few pages, over all */
#define ENCLAVE_NR_CACHES 4
extern const unsigned enclave_caches[ENCLAVE_NR_CACHES]; /* frames of the check cache */

#define ENCLAVE_NR_RUNS 4 /* that count walks */

/* Of one sweep. */
struct enclave_count {
	uint64_t pages, sum, checks, hits;
	unsigned low, high;
};

struct enclave_counts {
	struct enclave_count of[ENCLAVE_NR_WALKS][ENCLAVE_NR_SWEEPS][ENCLAVE_NR_CACHES];
};

/* A run that counts walks. */
struct enclave_run {
	enum bench_where where;
	int levels; /* of the third stage */
	struct enclave_counts counts;
	struct walks_model outside; /* the guest's own walks */
	bench_reason na;
};

struct enclave_results {
	struct op_results op; /* the first: op.h's functions are this workload's */
	struct enclave_run run[ENCLAVE_NR_RUNS];
	size_t nr_runs;
};

/* For turn_call(), with a struct op_native: output as guest/cost's; a floor is a system call. */
int enclave_native(const void *native);

/*
 * Reads the whole output of a run that counts walks. -EBADMSG, -EINVAL, -ERANGE as walks_output_parse(). Nothing is
 * written on failure.
 */
int must_check enclave_output_parse(const char *text, size_t len, const struct op_request *request,
                                    struct enclave_counts *ret_counts, struct walks_model *ret_outside);

/* Tables of a third stage of so many levels, with an entry for each frame, by the memory of these frames. -errno. */
int must_check enclave_overhead(int levels, double *ret_part);

/* The tables of a struct enclave_results. -ENOMEM. */
int must_check enclave_costs_report(const void *results, struct report **ret_table);
int must_check enclave_walks_report(const void *results, struct report **ret_table);

/* The native case of the same size: BLAKE2b alone. False: there is none. */
bool enclave_blake2b(const struct op_results *res, size_t i, size_t *ret_i);

/* What the tables mean, and which bars are met. Nothing if nothing was measured. */
void enclave_explain(const void *results, FILE *to);

#endif
