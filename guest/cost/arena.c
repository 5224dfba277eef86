/* SPDX-License-Identifier: MIT */
/* The guest's side of the arena: maps it where the VMM's process has it, and does block after block. */
#include <gnomon/abi.h>
#include <gnomon/x86.h>

#include "../arena.h"
#include "cost.h"

#define USED    (PTE_P | PTE_W | PTE_U | PTE_A | PTE_D)
#define ENTRIES 512ull
#define PHYS    GNOMON_RAM_HIGH_BASE

/* Tables are taken from FRAMES, one after the other; memory begins as zeroes. The upper ones are there after the first. */
static uint64_t *entry(uint64_t at, unsigned level)
{
	static uint64_t used;
	uint64_t *table = cost_pml4[0];

	for (unsigned l = 4; l > level; l--) {
		uint64_t *e = &table[at >> (3 + 9 * l) & (ENTRIES - 1)];

		if (!*e)
			*e = (COST_FRAMES + CHASE_PAGE * used++) | USED;
		table = (uint64_t *)(*e & -CHASE_PAGE);
	}
	return &table[at >> (3 + 9 * level) & (ENTRIES - 1)];
}

static void map(uint64_t pages, enum arena_stride stride)
{
	for (uint64_t i = 0; i < pages; i++)
		*entry(arena_page(stride, i), 1) = (PHYS + i * CHASE_PAGE) | USED;
}

/* By large pages, in tables of this level. What of the last one lies beyond the arena nobody touches. */
static void map_large(uint64_t pages, unsigned level)
{
	for (uint64_t i = 0; i < pages; i += level == 3 ? ENTRIES * ENTRIES : ENTRIES)
		*entry(arena_page(ARENA_4K, i), level) = (PHYS + i * CHASE_PAGE) | USED | PTE_PS;
}

noreturn void cost_arena(uint32_t pages, enum arena_kind kind)
{
	static struct arena_block block;

	if (kind == ARENA_HUGE || kind == ARENA_GIANT)
		map_large(pages, kind == ARENA_HUGE ? 2 : 3);
	else
		map(pages, ARENA_4K);
	for (int stride = ARENA_2M; kind == ARENA_APART && stride < ARENA_NR_STRIDES; stride++)
		map(pages, stride);
	for (;;) {
		__asm__ volatile("outl %0, %1"
		                 :
		                 : "a"((uint32_t)(uint64_t)&block), "d"((uint16_t)GNOMON_PORT_BENCH)
		                 : "memory");
		arena_run(&block);
	}
}
