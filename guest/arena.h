/* SPDX-License-Identifier: MIT */
/*
 * The arena: memory of one process that this process and several guests of its own have at the same virtual addresses
 * (`gnomon bench --only miss`). A ring through it is built once, and all of them chase through the same physical lines.
 *
 *   guest                               VMM
 *   OUT address of the block  ------->  takes what was measured; waits for its turn; fills in the next block
 *   chase: warm, then loads   <-------
 */
#ifndef GNOMON_ARENA_H
#define GNOMON_ARENA_H

#include <stddef.h>
#include <stdint.h>

#include "arena_apps.h"
#include "chase_core.h"

#define ARENA_PAGES 0x40000 /* most pages of 4 KiB side by side: 1 GiB */

/*
 * The pages of the arena have several addresses, at which they lie side by side or apart. Each step of the stride takes
 * one more entry of a walk out of the reach of the page-walk caches, since all pages have entries of their own there:
 *
 *   4 KiB     side by side; the entries of eight pages share a line of the caches
 *   2 MiB     a leaf table for each page (PDE)
 *   1 GiB     a page directory for each (PDPTE)
 *   512 GiB   that, and page after page in another of 64 blocks of 512 GiB (PML4E)
 */
enum arena_stride { ARENA_4K, ARENA_2M, ARENA_1G, ARENA_512G, ARENA_NR_STRIDES };

#define ARENA_APART_PAGES 0x1000 /* most pages that lie apart */
#define ARENA_BLOCKS      64ull

/* How a guest maps it: side by side, by pages of 4 KiB, of 2 MiB or of 1 GiB; or by 4 KiB at all strides. */
enum arena_kind { ARENA_SMALL, ARENA_HUGE, ARENA_APART, ARENA_GIANT, ARENA_NR_KINDS };

/* All of it is free in a process, with AddressSanitizer, too: slots of the uppermost table, of 512 GiB each. */
#define ARENA_SLOT(n) ((n) << 39)
#define ARENA_AT      ARENA_SLOT(64ull)

/* Bits of a number that looks random and belongs to page `i`: tables' entries are to use all sets of the caches. */
static inline uint64_t arena_spread(uint64_t i, unsigned skip, unsigned bits)
{
	return i * 0x9e3779b97f4a7c15 << skip >> (64 - bits);
}

/* Virtual address of page `i`. */
static inline uint64_t arena_page(enum arena_stride stride, uint64_t i)
{
	const uint64_t pte = arena_spread(i, 6, 9) << 12, pde = arena_spread(i, 15, 9) << 21;

	switch (stride) {
	case ARENA_2M:
		return ARENA_SLOT(65ull) + (i << 21) + pte;
	case ARENA_1G:
		return ARENA_SLOT(66ull) + (i << 30) + pde + pte;
	case ARENA_512G:
		return ARENA_SLOT(80 + i % ARENA_BLOCKS) + (i / ARENA_BLOCKS * 8 << 30) + pde + pte;
	default:
		return ARENA_AT + i * CHASE_PAGE;
	}
}

/* The rings lie in the same pages, ring n in line n of a page's groups of lines. */
#define ARENA_RINGS 16

/*
 * A block's loads are timed in so many parts of equal length, if they are a multiple of 16 times that. An interrupt, or
 * another program's turn, is in one of them.
 */
#define ARENA_PARTS 16

struct arena_block {
	uint64_t line;        /* virtual address of the line to begin at; then that of the line behind the last load */
	uint64_t warm, loads; /* multiples of 16; only `loads` are timed */
	uint64_t tsc;         /* what they took, all in all */
	uint64_t part[ARENA_PARTS]; /* and each of their parts */
	uint32_t parts;             /* 1 or ARENA_PARTS */
	uint64_t bytes; /* of the arena, for an application. Its loads are operations, `line` its state, then its sum */
	uint32_t app;   /* enum arena_app */
};

/* Line of page `i` that belongs to ring `ring`: no ring has a line of another's. */
static inline void **arena_line(enum arena_stride stride, uint64_t i, unsigned ring)
{
	return (void **)(uintptr_t)(arena_page(stride, i) + chase_offset(i, ring));
}

/* For chase_link(): `which` is a stride and a ring. */
static inline void **arena_line_of(void *unused, uint64_t i, unsigned which)
{
	(void)unused;
	return arena_line(which / ARENA_RINGS, i, which % ARENA_RINGS);
}

/* Links the ring through the first `pages` pages. */
static inline void arena_build(enum arena_stride stride, uint64_t pages, unsigned ring, uint64_t seed)
{
	chase_link(NULL, pages, arena_line_of, stride * ARENA_RINGS + ring, seed);
}

static inline uint32_t arena_parts(uint64_t loads)
{
	return loads % (16 * ARENA_PARTS) ? 1 : ARENA_PARTS;
}

static inline void arena_run_app(struct arena_block *b)
{
	uint64_t sum = arena_app_run(b->app, (void *)ARENA_AT, b->bytes, &b->line, b->warm);
	const uint64_t before = chase_tsc();

	sum += arena_app_run(b->app, (void *)ARENA_AT, b->bytes, &b->line, b->loads);
	b->tsc = b->part[0] = chase_tsc() - before;
	b->parts = 1;
	b->line = sum;
}

static inline void arena_run_chase(struct arena_block *b)
{
	const uint32_t parts = arena_parts(b->loads);
	void **p = chase_walk((void **)(uintptr_t)b->line, b->warm);
	const uint64_t began = chase_tsc();
	uint64_t before = began;

	for (uint32_t i = 0; i < parts; i++) {
		p = chase_walk(p, b->loads / parts);
		b->part[i] = chase_tsc() - before;
		before += b->part[i];
	}
	b->tsc = before - began;
	b->parts = parts;
	b->line = (uint64_t)(uintptr_t)p;
}

static inline void arena_run(struct arena_block *b)
{
	if (b->app)
		arena_run_app(b);
	else
		arena_run_chase(b);
}

#endif
