/* SPDX-License-Identifier: MIT */
/*
 * Workload `apps`: the memory kernels of applications (guest/arena_apps.h) in place of the chase of `miss`, whose method it
 * has: one arena, all environments alive, turns of milliseconds (bench/workload/miss.h).
 *
 *   apps.c         the workload: a case is an application, a mapping and a size
 *   apps_build.c   the data
 *   apps_report.c  samples to a table, and to sentences
 */
#ifndef GNOMON_BENCH_WORKLOAD_APPS_H
#define GNOMON_BENCH_WORKLOAD_APPS_H

#include "bench/workload/miss.h"

extern const struct workload apps_workload;

/* The application's name in tables. */
const char *app_name(enum arena_app app);

/* Results are a struct miss_results. A row for each case and environment. -ENOMEM. */
int must_check apps_report(const void *results, struct report **ret_table);
void apps_find(const void *results, FILE *to);
void apps_explain(const void *results, FILE *to);

#endif
