/* SPDX-License-Identifier: MIT */
/* vmm/model/mmu once more: arrays are lists in order of use, and a walk is decided reference by reference. */
#ifndef SLOW_MMU_H
#define SLOW_MMU_H

#include <string.h>

#include "model/mmu/mmu.h"

/* Of a set, the number used last first. */
struct slow_array {
	uint32_t sets, ways;
	uint64_t *key;
	uint32_t *nr;
};

struct slow_array slow_array(const struct assoc_shape *shape);
void slow_array_free(struct slow_array *a);
/* Whether it was there; afterwards it is. */
bool slow_touch(struct slow_array *a, uint64_t key);
/* Whether it is there; it counts as used then. */
bool slow_find(struct slow_array *a, uint64_t key);
/* Takes it out, if it is there. */
void slow_remove(struct slow_array *a, uint64_t key);

struct slow_plru {
	uint32_t sets, ways;
	uint64_t key[256];
	bool used[256];
};

bool slow_plru_touch(struct slow_plru *p, uint64_t key);

struct slow_mmu {
	struct mmu_shape shape;
	struct slow_array tlb[SHAPE_TLBS], pwc[SHAPE_PWCS], cache[SHAPE_CACHES], nested, check;
	bool hit; /* of the last access */
	uint64_t refs, cycles;
};

struct slow_mmu *slow_mmu_new(const struct mmu_shape *shape);
void slow_mmu_free(struct slow_mmu *s);
/* `walk`: of `va`, also if a TLB has it. */
void slow_mmu_access(struct slow_mmu *s, uint64_t va, const struct model_walk *walk);

#endif
