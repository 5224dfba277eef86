/* SPDX-License-Identifier: MIT */
/*
 * The TSC beside the host's clock. They part where the host is suspended, or moves to another one: a block that was timed
 * across it is worth nothing.
 */
#ifndef GNOMON_BENCH_WORKLOAD_MISS_CLOCK_H
#define GNOMON_BENCH_WORKLOAD_MISS_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "../guest/chase_core.h"
#include "base/clock.h"

struct miss_moment {
	uint64_t tsc;
	int64_t us;
};

static inline struct miss_moment miss_now(void)
{
	return (struct miss_moment){chase_tsc(), clock_us()};
}

/* Ticks a microsecond between two moments. */
static inline double miss_rate(struct miss_moment from, struct miss_moment to)
{
	return (double)(int64_t)(to.tsc - from.tsc) / (double)(to.us - from.us);
}

/*
 * Whether both clocks saw as much time go by, to a fiftieth and to 2 ms, by which the two readings of a moment may lie
 * apart on a busy host.
 */
static inline bool miss_clocks_agree(struct miss_moment from, struct miss_moment to, double rate)
{
	const double us = (double)(to.us - from.us), by_tsc = (double)(int64_t)(to.tsc - from.tsc) / rate;
	const double apart = us > by_tsc ? us - by_tsc : by_tsc - us;

	return us >= 0 && apart <= us / 50 + 2000;
}

#endif
