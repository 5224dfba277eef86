/* SPDX-License-Identifier: MIT */
/*
 * Workload `nano`: the nanobenchmarks of Adams & Agesen (ASPLOS 2006), and what an operating system does with page
 * tables, beside the figures that others published. Its cases run as op.h says; guest/cost/nano.c does them.
 *
 *   nano.c            the workload
 *   nano_cases.c      the cases, and the published figures
 *   nano_native.c     the native one
 *   nano_report.c     the table of what was measured
 *   nano_published.c  the tables with the published figures beside ours
 *   nano_explain.c    what they mean, in sentences
 */
#ifndef GNOMON_BENCH_WORKLOAD_NANO_H
#define GNOMON_BENCH_WORKLOAD_NANO_H

#include "bench/workload/op.h"

extern const struct workload nano_workload;

extern const struct op_set nano_set;

/* Figures of a publication, measured by its authors on their machines. */
#define NANO_SYSTEMS 3

struct nano_published {
	const char *row, *their_name;
	double value[NANO_SYSTEMS]; /* not a number: there is none at hand */
};

/* Adams & Agesen: TSC cycles, native, with a software VMM, with the first VMM on VT-x. */
extern const struct nano_published nano_adams_agesen[];
extern const size_t nano_nr_adams_agesen;

/* PVM (SOSP 2023): microseconds, kvm-ept, kvm-shadow, pvm. */
extern const struct nano_published nano_pvm[];
extern const size_t nano_nr_pvm;

/* For turn_call(), with a struct op_native: output as guest/cost's; a floor is a system call. */
int nano_native(const void *native);

/* The first case of an operation in an environment: in shadow mode that with all optimisations. -ENOENT. */
int must_check nano_find_case(const struct op_results *res, const char *row, enum bench_where where, size_t *ret_i);

/* The tables of a struct op_results: a row a case; and a row for each published one. -ENOMEM. */
int must_check nano_report(const void *results, struct report **ret_table);
int must_check nano_adams_agesen_report(const void *results, struct report **ret_table);
int must_check nano_pvm_report(const void *results, struct report **ret_table);

/* What the tables mean. Nothing if nothing was measured. */
void nano_explain(const void *results, FILE *to);

#endif
