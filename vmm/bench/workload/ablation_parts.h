/* SPDX-License-Identifier: MIT */
/*
 * The inside of workload `ablation`: ablation.c runs it, ablation_report.c says what came of it.
 */
#ifndef GNOMON_BENCH_WORKLOAD_ABLATION_PARTS_H
#define GNOMON_BENCH_WORKLOAD_ABLATION_PARTS_H

#include "bench/workload/op.h"
#include "shadow/shadow.h"

/* All; each left out; each alone; none; all, and tables that are not protected (lazy). */
#define ABLATION_SETTINGS (2 * SHADOW_OPTS_ON + 3)
#define ABLATION_ALL      0
#define ABLATION_LEFT_OUT 1 /* and the next: optimisation 0 of shadow_opt_desc, 1, ... */
#define ABLATION_ALONE    (ABLATION_LEFT_OUT + SHADOW_OPTS_ON)
#define ABLATION_NONE     (ABLATION_ALONE + SHADOW_OPTS_ON)
#define ABLATION_LAZY     (ABLATION_NONE + 1)

#define ABLATION_OPERATIONS 9
#define ABLATION_CASES      (ABLATION_OPERATIONS * ABLATION_SETTINGS)

struct ablation {
	struct op_results op; /* first: what op.c is given. Case i: operation i / SETTINGS, setting i % SETTINGS */
	struct op_set set;
	struct op_case cases[ABLATION_CASES];
};

/* Fills `set` and `cases`. */
void ablation_init(struct ablation *a);

/*
 * The tables of a struct ablation: one row for each case; and one for each optimisation, with the operation that loses
 * most without it, and the one that gains most. -ENOMEM.
 */
int must_check ablation_report(const void *results, struct report **ret_table);
int must_check ablation_options_report(const void *results, struct report **ret_table);

/* What each optimisation brings, a line each; and what the tables mean. Nothing if nothing was measured. */
void ablation_find(const void *results, FILE *to);
void ablation_explain(const void *results, FILE *to);

#endif
