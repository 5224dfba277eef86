/* SPDX-License-Identifier: MIT */
/*
 * A thread of the process that does the blocks of a native environment, as a vCPU's thread does those of a guest
 * (miss_hand.h).
 *
 * Threads: one caller.
 */
#ifndef GNOMON_BENCH_WORKLOAD_MISS_NATIVE_H
#define GNOMON_BENCH_WORKLOAD_MISS_NATIVE_H

#include "bench/workload/miss_hand.h"

struct miss_native;

/* `run` does a block: arena_run() or miss_reference(). It waits for the first one by then. NULL, logged. */
struct miss_native *miss_native_start(void (*run)(struct arena_block *b));

/* As miss_hand_do(); NULL: only waits until it waits. Logged. */
int must_check miss_native_do(struct miss_native *n, struct arena_block *block);

struct miss_hand *miss_native_hand(struct miss_native *n);

/* NULL is fine. */
void miss_native_stop(struct miss_native *n);

#endif
