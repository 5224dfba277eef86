/* SPDX-License-Identifier: MIT */
/*
 * A cache of lines that assoc.h would have too, with LRU and sets by the line's number, but at half the size: here a
 * simulation spends its time. A set has the upper parts of its lines' numbers in 32 bits, the one used last first.
 */
#ifndef GNOMON_MODEL_MMU_LINES_H
#define GNOMON_MODEL_MMU_LINES_H

#include <emmintrin.h>
#include <string.h>

#include "model/mmu/assoc.h"

/* From so many sets on the numbers of lines below 8 TiB fit. */
#define LINES_FEWEST_SETS 64
#define LINES_LIMIT       (1ull << 43)

struct lines {
	uint32_t *tag; /* NULL: there is none */
	uint32_t sets, ways, stride; /* stride: of a set, in tags */
	int shift; /* log2 of the sets; negative: they are no power of two */
};

/* Whether it can be one. */
bool lines_fit(const struct assoc_shape *shape);
/* An empty cache; lines_fit() (BUG_ON). -ENOMEM. */
int must_check lines_init(struct lines *l, const struct assoc_shape *shape);
void lines_destroy(struct lines *l);

static inline uint32_t *lines_set(const struct lines *l, uint64_t number)
{
	const uint64_t set = l->shift < 0 ? number % l->sets : number & (l->sets - 1);

	return l->tag + set * l->stride;
}

/* Soon the set of this line is asked for. */
static inline void lines_prefetch(const struct lines *l, uint64_t number)
{
	__builtin_prefetch(lines_set(l, number), 1);
}

/* Whether the line was there; afterwards it is. */
static inline bool lines_touch(struct lines *l, uint64_t number)
{
	uint32_t *const t = lines_set(l, number), tag = (uint32_t)(l->shift < 0 ? number / l->sets : number >> l->shift);
	const __m128i wanted = _mm_set1_epi32((int)tag);
	uint32_t way = l->ways - 1;
	bool found = false;

	for (uint32_t i = 0; i < l->stride; i += 4) {
		const __m128i here = _mm_load_si128((const __m128i *)(t + i));
		const int equal = _mm_movemask_epi8(_mm_cmpeq_epi32(here, wanted));

		if (equal) {
			way = i + (uint32_t)__builtin_ctz((unsigned)equal) / 4;
			found = true;
			break;
		}
	}
	memmove(t + 1, t, way * sizeof(*t));
	*t = tag;
	return found;
}

#endif
