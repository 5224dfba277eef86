/* SPDX-License-Identifier: MIT */
/* What the parts of the MMU share. */
#ifndef GNOMON_MODEL_MMU_MMU_PARTS_H
#define GNOMON_MODEL_MMU_MMU_PARTS_H

#include "model/mmu/line_set.h"
#include "model/mmu/lines.h"
#include "model/mmu/mmu.h"

#define MMU_NO_PWC     SHAPE_PWCS
#define MMU_NO_TLB     SHAPE_TLBS
#define MMU_TLB_LEVELS 2
#define MMU_SHIFTS     64 /* of pages: less than that */

/* Where a page goes: a TLB, or none, and its page size there. */
struct mmu_fill {
	uint8_t tlb, shift;
};

struct model_mmu {
	struct mmu_shape shape;
	struct assoc tlb[SHAPE_TLBS], pwc[SHAPE_PWCS], nested, check;
	struct lines narrow[SHAPE_CACHES]; /* a cache is one of these, if it can be */
	struct assoc wide[SHAPE_CACHES];
	uint64_t seen;                                     /* bit n: a TLB was given a page of 1 << n bytes */
	uint8_t pwc_of[MODEL_NR_DIMENSIONS][SHAPE_LEVELS]; /* MMU_NO_PWC: none */
	struct mmu_fill fill[MMU_TLB_LEVELS][MMU_SHIFTS];  /* by level - 1 and the page's shift */
	bool pending;  /* the data of the last access has not gone through the caches yet */
	uint64_t data; /* where it lies */
	struct mmu_counts counts;
	struct line_set lines; /* of tables */
};

/* The key of the page of 1 << shift bytes that has the address. */
static inline uint64_t mmu_key(uint64_t address, int shift, unsigned kind)
{
	return (address >> shift & ASSOC_NUMBER) | (uint64_t)kind << ASSOC_KIND_SHIFT;
}

/* Where the line was; afterwards all caches from `first` on have it. Adds what that took. */
static inline unsigned mmu_find_line(struct model_mmu *mmu, uint64_t address, unsigned first, uint64_t *cycles)
{
	const uint64_t line = address / SHAPE_LINE;

	for (unsigned i = first; i < mmu->shape.nr_caches; i++) {
		if (mmu->narrow[i].tag ? lines_touch(&mmu->narrow[i], line) : assoc_touch(&mmu->wide[i], line)) {
			*cycles += mmu->shape.cache[i].cycles;
			return i;
		}
	}
	*cycles += mmu->shape.memory_cycles;
	return MMU_MEMORY;
}

/* Soon the line is asked for. */
static inline void mmu_prefetch_line(const struct model_mmu *mmu, uint64_t address)
{
	for (unsigned i = 0; i < mmu->shape.nr_caches; i++)
		if (mmu->narrow[i].tag)
			lines_prefetch(&mmu->narrow[i], address / SHAPE_LINE);
}

/* Reads the references of a walk that no page-walk cache spares; returns how many. Adds what they took. */
unsigned mmu_read_walk(struct model_mmu *mmu, const struct model_walk *walk, uint64_t *cycles);

#endif
