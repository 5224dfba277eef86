/* SPDX-License-Identifier: MIT */
/*
 * A hardware counter of one thread: loads that miss the data TLB, where the host has a PMU that counts them
 * (perf_event_open). At CPL 3 alone, in guests, too: a vCPU's thread counts its guest's.
 *
 * The event is the kernel's dTLB-load-misses. On Intel's CPUs since Skylake and AMD's since Zen it counts page walks. What
 * a walk takes in cycles has no event that all CPUs share.
 */
#ifndef GNOMON_BENCH_WORKLOAD_MISS_PMU_H
#define GNOMON_BENCH_WORKLOAD_MISS_PMU_H

#include <linux/perf_event.h>
#include <stdint.h>

#include "base/log.h"

#define MISS_PMU_TYPE PERF_TYPE_HW_CACHE
#define MISS_PMU_CONFIG                                                                                                \
	(PERF_COUNT_HW_CACHE_DTLB | PERF_COUNT_HW_CACHE_OP_READ << 8 | PERF_COUNT_HW_CACHE_RESULT_MISS << 16)

/* A counter of the calling thread, a descriptor that the caller closes. -errno: there is none, or not for us. */
int must_check miss_pmu_open(uint32_t type, uint64_t config);

/* What it has counted so far. -EBUSY: others use all counters of the CPU. -EBADF: no counter (fd is negative). */
int must_check miss_pmu_read(int fd, uint64_t *ret_count);

#endif
