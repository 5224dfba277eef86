/* SPDX-License-Identifier: MIT */
/*
 * The arena: memory of one process that this process and several guests of its own have at the same virtual address
 * (`gnomon bench --only miss`). A ring through it is built once, and all of them chase through the same physical lines.
 *
 *   guest                               VMM
 *   OUT address of the block  ------->  takes what was measured; waits for its turn; fills in the next block
 *   chase: warm, then loads   <-------
 */
#ifndef GNOMON_ARENA_H
#define GNOMON_ARENA_H

#include <stdint.h>

#include "chase_core.h"

#define ARENA_AT    0x200000000000 /* virtual: free in a process, with AddressSanitizer, too */
#define ARENA_PAGES 0x40000        /* most pages of 4 KiB: 1 GiB */

/* The rings of several sizes lie in the same pages, ring n in line n of a page's groups of lines. */
#define ARENA_RINGS 16

struct arena_block {
	uint64_t line;        /* virtual address of the line to begin at; then that of the line behind the last load */
	uint64_t warm, loads; /* multiples of 16; only `loads` are timed */
	uint64_t tsc;         /* what they took */
};

/* Line of page `i` that belongs to ring `ring`: no ring has a line of another's. */
static inline void **arena_line(void *arena, uint64_t i, unsigned ring)
{
	return chase_sparse_line(arena, i, ring);
}

/* Links the ring through the first `pages` pages. */
static inline void arena_build(void *arena, uint64_t pages, unsigned ring, uint64_t seed)
{
	chase_link(arena, pages, arena_line, ring, seed);
}

static inline void arena_run(struct arena_block *b)
{
	void **p = chase_walk((void **)(uintptr_t)b->line, b->warm);
	const uint64_t before = chase_tsc();

	p = chase_walk(p, b->loads);
	b->tsc = chase_tsc() - before;
	b->line = (uint64_t)(uintptr_t)p;
}

#endif
