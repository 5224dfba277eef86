/* SPDX-License-Identifier: MIT */
/*
 * Workload `ablation`: what each optimisation of shadow paging brings, and what it costs elsewhere. Each operation runs
 * with all of them, with each left out, with each alone and with none. Its cases run as op.h says; those of one
 * operation take turns.
 *
 *   ablation.c         the workload, and the settings
 *   ablation_report.c  the tables, and what they mean
 */
#ifndef GNOMON_BENCH_WORKLOAD_ABLATION_H
#define GNOMON_BENCH_WORKLOAD_ABLATION_H

#include "bench/workload/workload.h"

extern const struct workload ablation_workload;

#endif
