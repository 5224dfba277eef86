/* SPDX-License-Identifier: MIT */
/*
 * A thread that does blocks of loads: a vCPU's, or one of the process for a native environment. All environments have
 * one, and none is the benchmark's own: a thread that was just woken is scheduled otherwise than one that has been
 * running, and on a busy host that came out as a difference between process and guest.
 *
 *   benchmark                           hand
 *   miss_hand_do: the block, go  ---->  miss_hand_wait returns; it does the block
 *   returns                      <----  miss_hand_wait again: what was measured
 */
#ifndef GNOMON_BENCH_WORKLOAD_MISS_HAND_H
#define GNOMON_BENCH_WORKLOAD_MISS_HAND_H

#include "../guest/arena.h"
#include "base/log.h"

struct miss_hand {
	int go, done; /* eventfds: a block is there; the hand waits */
	int end_fd;   /* readable: the hand is no more; -1: that does not happen */
	struct arena_block block;
	uint64_t disturbances;   /* how often it lost the CPU to another thread against its will, in blocks */
	uint64_t lost;           /* the same in its whole life, when the last block began */
	bool began;              /* there was a block */
	int pmu;                 /* the hand's counter (miss_pmu.h); -errno */
	int pmu_error;           /* -errno of the last block's */
	uint64_t before, misses; /* counted before the last block, and in it */
};

/* Makes one that nobody does blocks for yet. -errno, logged. */
int must_check miss_hand_init(struct miss_hand *h, int end_fd);

/* The hand's thread is over, or was never there. */
void miss_hand_close(struct miss_hand *h);

/* ---- the benchmark's thread ---- */

/* Waits until the hand waits. -EIO: it came to an end; -ETIMEDOUT. Not logged. */
int must_check miss_hand_await(struct miss_hand *h);

/* Has it do a block: fills in `tsc` and the line behind. As miss_hand_await(). */
int must_check miss_hand_do(struct miss_hand *h, struct arena_block *block);

/* Ends the wait of a hand that shall do no block. */
void miss_hand_wake(struct miss_hand *h);

/* ---- the hand's own thread ---- */

/* What was measured goes out; returns when it was woken. */
void miss_hand_wait(struct miss_hand *h);

/* Waits once more, with nothing measured. */
void miss_hand_wait_again(struct miss_hand *h);

/* Last thing before the block. */
void miss_hand_begin(struct miss_hand *h);

#endif
