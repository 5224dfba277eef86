/* SPDX-License-Identifier: MIT */
/* A bit for each of many: bit i % 64 of word i / 64. No locks: who shares a map says how. */
#ifndef GNOMON_BASE_BITMAP_H
#define GNOMON_BASE_BITMAP_H

#include <stdbool.h>
#include <stdint.h>

#define BITMAP_WORD 64 /* bits */

/* Words that so many bits take. */
static inline uint64_t bitmap_words(uint64_t bits)
{
	return (bits + BITMAP_WORD - 1) / BITMAP_WORD;
}

static inline bool bitmap_has(const uint64_t *map, uint64_t i)
{
	return map[i / BITMAP_WORD] >> i % BITMAP_WORD & 1;
}

static inline void bitmap_set(uint64_t *map, uint64_t i)
{
	map[i / BITMAP_WORD] |= 1ull << i % BITMAP_WORD;
}

/* Of [*i, end), which is not empty, the bits in the word of *i, as a mask; *i becomes the first in another word. */
static inline uint64_t bitmap_mask(uint64_t *i, uint64_t end)
{
	const uint64_t from = *i % BITMAP_WORD, n = end - *i < BITMAP_WORD - from ? end - *i : BITMAP_WORD - from;

	*i += n;
	return (~0ull >> (BITMAP_WORD - n)) << from;
}

#endif
