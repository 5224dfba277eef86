/* SPDX-License-Identifier: MIT */
/*
 * The arena of a run of `miss` in its process: mapped, with its rings. It goes with the process.
 */
#ifndef GNOMON_BENCH_WORKLOAD_MISS_ARENA_H
#define GNOMON_BENCH_WORKLOAD_MISS_ARENA_H

#include "bench/workload/miss.h"

/*
 * Maps the arena at ARENA_AT, with pages that lie apart at all strides, too, and links all rings. -ENOMEM, also where the
 * host does not give the huge pages that were asked for; -errno. Logged.
 */
int must_check miss_arena_map(const struct miss_request *q);

/* Memory by which the caches are swept. NULL, logged. */
struct miss_broom;
struct miss_broom *miss_broom_new(void);
/* The memory that it takes. */
uint64_t miss_broom_bytes(void);

/* Fills the caches of this CPU with other lines than the arena's and its tables'. Some ten milliseconds. */
void miss_broom_sweep(struct miss_broom *broom);

#endif
