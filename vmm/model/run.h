/* SPDX-License-Identifier: MIT */
/*
 * Has several designs translate the same addresses, each on a CPU of its own:
 *
 *     source --> batch --> lane 0: walker, MMU
 *                     \--> lane 1: walker, MMU       threads take the lanes of a batch, while the next batch is read
 *                      ...
 *
 * A page is mapped when it is touched first, as a kernel does it. What a run keeps does not grow with the accesses.
 */
#ifndef GNOMON_MODEL_RUN_H
#define GNOMON_MODEL_RUN_H

#include "model/design/walker.h"
#include "model/mmu/mmu.h"
#include "model/trace/source.h"

#define RUN_BATCH 4096

/* Frames that were unmapped: the next pages to be mapped have them. */
struct run_freed {
	uint64_t *pa; /* with the page's shift in the low bits */
	size_t nr, room;
};

struct run_lane {
	struct walker *walker; /* the caller's, as the MMU */
	struct model_mmu *mmu;
	int error; /* -errno of the page that could not be mapped, -ENOSPC: none is left; the lane stopped there */
	uint64_t error_at; /* its address */
	struct run_freed freed;
	size_t walks; /* of the last batch */
};

struct run_plan {
	struct model_source *source;
	int page_shift;                  /* of the pages that are mapped, but for those of a range */
	const struct model_range *range; /* ascending; NULL: none */
	size_t nr_ranges;
	uint64_t accesses; /* after the first `warm`, which fill caches and do not count; 0: as many as there are */
	uint64_t warm;
	unsigned churn; /* so many of the addresses of a batch have their pages unmapped after it; RUN_BATCH at most */
	unsigned threads; /* 0: the caller's alone */
	/* After each batch, in the caller's thread; `done` includes the warm ones. True: end here. NULL: nobody asks. */
	bool (*ask)(void *ctx, uint64_t done);
	/* Each batch, in the caller's thread. NULL: nobody takes it. */
	void (*tap)(void *ctx, const uint64_t *va, size_t nr);
	void *ctx;
};

/* Frees what a run has left in a lane; not the walker and the MMU. */
void run_lane_end(struct run_lane *lane);

/* 0; -EINTR: `ask` ended it, and the lanes have what was done; -errno of the source, logged; of threads, logged. */
int must_check model_run(const struct run_plan *plan, struct run_lane *lane, size_t nr);

#endif
