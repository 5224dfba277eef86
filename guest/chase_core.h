/* SPDX-License-Identifier: MIT */
/*
 * The pointer chase: the same code runs as a native process and as a guest program. Loads walk a ring of 64-byte lines.
 * The ring is one random cycle, and each load gives the address of the next:
 *
 *   sparse  one line in each of N pages: every load needs its own translation
 *   dense   N lines side by side: the same number of cache lines in 1/64 of the pages
 *
 * The difference of the two, per load, is what TLB misses cost. A sparse line's place in its page is chosen so that
 * both rings use the cache's sets evenly.
 */
#ifndef GNOMON_CHASE_CORE_H
#define GNOMON_CHASE_CORE_H

#include <stdint.h>

#define CHASE_PAGE 4096ull
#define CHASE_LINE 64ull

enum chase_kind { CHASE_SPARSE, CHASE_DENSE };

/* xorshift64 (Marsaglia 2003); the state must not be 0. */
static inline uint64_t chase_random(uint64_t *state)
{
	uint64_t x = *state;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return *state = x;
}

/*
 * Where in page `i` its line lies, `shift` lines on. Multiples of the golden ratio: even for any run of page numbers, and
 * unrelated to their low bits.
 */
static inline uint64_t chase_offset(uint64_t i, unsigned shift)
{
	const uint64_t spread = i * 0x9e3779b97f4a7c15 >> 58;

	return (spread + shift) % (CHASE_PAGE / CHASE_LINE) * CHASE_LINE;
}

static inline void **chase_sparse_line(void *arena, uint64_t i, unsigned shift)
{
	return (void **)((char *)arena + i * CHASE_PAGE + chase_offset(i, shift));
}

static inline void **chase_line(void *arena, uint64_t i, unsigned kind)
{
	return kind == CHASE_SPARSE ? chase_sparse_line(arena, i, 0) : (void **)((char *)arena + i * CHASE_LINE);
}

/* Links line(arena, 0 to lines - 1, which) into one random cycle (Sattolo's algorithm, in the lines themselves). */
static inline void chase_link(void *arena, uint64_t lines, void **(*line)(void *arena, uint64_t i, unsigned which),
                              unsigned which, uint64_t seed)
{
	uint64_t state = seed * 2 + 1;

	for (uint64_t i = 0; i < lines; i++)
		*line(arena, i, which) = line(arena, i, which);
	for (uint64_t i = lines - 1; i > 0; i--) {
		void **a = line(arena, i, which);
		void **b = line(arena, chase_random(&state) % i, which);
		void *t = *a;

		*a = *b;
		*b = t;
	}
}

/* Links `lines` lines of `arena`, and returns one of them. The arena holds `lines` pages for a sparse ring. */
static inline void **chase_build(void *arena, uint64_t lines, enum chase_kind kind, uint64_t seed)
{
	chase_link(arena, lines, chase_line, kind, seed);
	return chase_line(arena, 0, kind);
}

/* Follows the ring for `loads` loads, rounded up to a multiple of 16, and returns where that ends. */
static inline void **chase_walk(void **p, uint64_t loads)
{
	for (uint64_t n = (loads + 15) / 16; n; n--)
		__asm__ volatile(".rept 16\n\tmov (%0), %0\n\t.endr" : "+r"(p) : : "memory");
	return p;
}

static inline uint64_t chase_tsc(void)
{
	uint32_t lo, hi;

	/* LFENCE on both sides: everything before has finished, nothing after has begun. */
	__asm__ volatile("lfence\n\trdtsc\n\tlfence" : "=a"(lo), "=d"(hi) : : "memory");
	return (uint64_t)hi << 32 | lo;
}

/* TSC ticks for `loads` loads (rounded up to a multiple of 16) on a fresh ring, after one warm lap. */
static inline uint64_t chase_measure(void *arena, uint64_t lines, enum chase_kind kind, uint64_t loads, uint64_t seed)
{
	void **p = chase_walk(chase_build(arena, lines, kind, seed), lines);
	uint64_t before = chase_tsc();

	chase_walk(p, loads);
	return chase_tsc() - before;
}

#endif
