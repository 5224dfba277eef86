/* SPDX-License-Identifier: MIT */
/*
 * Workload `startup`: from exec to the guest's first character and to the end, for `gnomon run IMAGE -- hello`
 * and for the shortest possible KVM program (shortest.c), which is the floor; and the peak resident memory of both.
 */
#ifndef GNOMON_BENCH_WORKLOAD_STARTUP_H
#define GNOMON_BENCH_WORKLOAD_STARTUP_H

#include "bench/workload/workload.h"

extern const struct workload startup_workload;

#endif
