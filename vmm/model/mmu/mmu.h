/* SPDX-License-Identifier: MIT */
/*
 * What translations cost on a CPU of some shape: TLBs, page-walk caches, the nested TLB, the cache of checks, and the
 * caches that the walker's reads and the data go through.
 *
 *     address --> TLBs --hit--> data
 *                  |
 *                 miss: the walk of a design, reference by reference
 *                  |      skipped: what a page-walk cache, the nested TLB or the cache of checks has
 *                  v      read:    through the caches, one after the other
 *                 data
 *
 * Pure; an MMU belongs to one thread at a time.
 */
#ifndef GNOMON_MODEL_MMU_MMU_H
#define GNOMON_MODEL_MMU_MMU_H

#include "model/design/walker.h"
#include "model/mmu/shape.h"

#define MMU_PLACES (SHAPE_CACHES + 1) /* where a line was: cache 0 on; the last is memory */
#define MMU_MEMORY SHAPE_CACHES

/* Since model_mmu_new(), or since model_mmu_forget_counts(). */
struct mmu_counts {
	uint64_t accesses; /* tlb1 + tlb2 + walks */
	uint64_t tlb1, tlb2, walks;
	uint64_t refs;                            /* of all walks, those that were read; the sum of `ref_at` */
	uint64_t of[MODEL_NR_DIMENSIONS];         /* `refs`, by whose table they read */
	uint64_t skipped;                         /* references that a cache of the walker spared */
	uint64_t ref_at[MMU_PLACES];              /* where they found their line */
	uint64_t data_at[MMU_PLACES];             /* and the data */
	uint64_t walk_cycles;                     /* of reading `refs` */
	uint64_t translation_cycles, data_cycles; /* translation: walks, and looking into the second-level TLB */
	uint64_t with[MODEL_REFS_MAX + 1];        /* walks that read so many */
};

struct model_mmu;

/* NULL: no memory. */
struct model_mmu *model_mmu_new(const struct mmu_shape *shape);
void model_mmu_free(struct model_mmu *mmu);

/* Whether a TLB has the page of `va`. If so the access is done, and counted. */
bool model_mmu_hit(struct model_mmu *mmu, uint64_t va);

/* The access to `va` that no TLB had, by a walk of it that is mapped. Its page is in the TLBs afterwards. */
void model_mmu_walk(struct model_mmu *mmu, uint64_t va, const struct model_walk *walk);

/* The page of 1 << page_shift bytes at `va` is in no TLB any more: it was unmapped. */
void model_mmu_flush(struct model_mmu *mmu, uint64_t va, int page_shift);

/* `address` will be read: the sets of the caches that its line has are fetched. Nothing else changes. */
void model_mmu_ahead(const struct model_mmu *mmu, uint64_t address);

const struct mmu_counts *model_mmu_counts(struct model_mmu *mmu);
/* Lines of tables that were read since model_mmu_new(), each once. 0: there was no memory to count them. */
uint64_t model_mmu_lines(const struct model_mmu *mmu);
/* What the caches have stays. */
void model_mmu_forget_counts(struct model_mmu *mmu);

/* The number of references that `share` of the walks do not exceed, 0 < share <= 1; 0: there was no walk. */
unsigned mmu_counts_percentile(const struct mmu_counts *counts, double share);

#endif
