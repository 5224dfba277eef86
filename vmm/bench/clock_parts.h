/* SPDX-License-Identifier: MIT */
/* The TSC's rate, over a whole workload. A guest's TSC has the host's rate: nobody scales it. */
#ifndef GNOMON_BENCH_CLOCK_PARTS_H
#define GNOMON_BENCH_CLOCK_PARTS_H

#include "../guest/chase_core.h"
#include "bench/child_parts.h"

struct bench_clock {
	double ms;
	uint64_t tsc;
};

static inline struct bench_clock bench_clock_start(void)
{
	return (struct bench_clock){child_clock_ms(), chase_tsc()};
}

static inline double bench_clock_mhz(const struct bench_clock *began)
{
	return (chase_tsc() - began->tsc) / (child_clock_ms() - began->ms) / 1e3;
}

#endif
