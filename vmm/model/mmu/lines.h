/* SPDX-License-Identifier: MIT */
/*
 * A cache of lines that assoc.h would have too, with LRU and sets by the line's number, but at half the size: here a
 * simulation spends its time. A set has the upper parts of its lines' numbers in 32 bits, the one used last first.
 */
#ifndef GNOMON_MODEL_MMU_LINES_H
#define GNOMON_MODEL_MMU_LINES_H

#include <emmintrin.h>

#include "model/mmu/assoc.h"

/* From so many sets on the numbers of lines below 8 TiB fit. */
#define LINES_FEWEST_SETS 64
#define LINES_LIMIT       (1ull << 43)
#define LINES_NONE        UINT32_MAX /* no line has that tag */

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

/*
 * Soon the set of this line is asked for. In assembly, as GCC 12 takes a function with nothing but __builtin_prefetch for
 * one that has no effect, and leaves out its calls.
 */
static inline void lines_prefetch(const struct lines *l, uint64_t number)
{
	__asm__ volatile("prefetcht0 %0" : : "m"(*lines_set(l, number)));
}

/* Whether the line was there; afterwards it is. */
static inline bool lines_touch(struct lines *l, uint64_t number)
{
	uint32_t *const t = lines_set(l, number), tag = (uint32_t)(l->shift < 0 ? number / l->sets : number >> l->shift);
	const __m128i wanted = _mm_set1_epi32((int)tag), lane = _mm_setr_epi32(0, 1, 2, 3);
	__m128i before = _mm_cvtsi32_si128((int)tag); /* what moves into a group's first place */

	for (uint32_t i = 0; i < l->stride; i += 4) {
		__m128i *const at = (__m128i *)(t + i);
		const __m128i here = _mm_load_si128(at), moved = _mm_or_si128(_mm_slli_si128(here, 4), before);
		const int equal = _mm_movemask_epi8(_mm_cmpeq_epi32(here, wanted));

		if (equal) {
			const __m128i stays = _mm_cmpgt_epi32(lane, _mm_set1_epi32(__builtin_ctz((unsigned)equal) / 4));

			_mm_store_si128(at, _mm_or_si128(_mm_and_si128(stays, here), _mm_andnot_si128(stays, moved)));
			return true;
		}
		_mm_store_si128(at, moved);
		before = _mm_srli_si128(here, 12);
	}
	for (uint32_t way = l->ways; way < l->stride; way++)
		t[way] = LINES_NONE;
	return false;
}

#endif
