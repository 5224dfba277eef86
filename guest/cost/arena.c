/* SPDX-License-Identifier: MIT */
/* The guest's side of the arena: maps it where the VMM's process has it, and does block after block. */
#include <gnomon/abi.h>
#include <gnomon/x86.h>

#include "../arena.h"
#include "cost.h"

#define USED    (PTE_P | PTE_W | PTE_U | PTE_A | PTE_D)
#define ENTRIES 512ull
#define PHYS    GNOMON_RAM_HIGH_BASE

/* Tables in FRAMES: one each of levels 3 and 2, then leaf tables. */
static uint64_t *table(uint64_t n)
{
	return (uint64_t *)(COST_FRAMES + n * CHASE_PAGE);
}

static void map(uint64_t pages, bool huge)
{
	uint64_t *pd = table(1);

	for (uint64_t t = 0; t * ENTRIES < pages; t++) {
		pd[t] = huge ? (PHYS + t * COST_TABLE_LEN) | USED | PTE_PS : (uint64_t)table(2 + t) | USED;
		for (uint64_t i = 0; !huge && i < ENTRIES; i++)
			table(2 + t)[i] = (PHYS + (t * ENTRIES + i) * CHASE_PAGE) | USED;
	}
	table(0)[0] = (uint64_t)pd | USED;
	cost_pml4[0][ARENA_AT >> 39 & (ENTRIES - 1)] = (uint64_t)table(0) | USED;
}

noreturn void cost_arena(uint32_t pages, bool huge)
{
	static struct arena_block block;

	map(pages, huge);
	for (;;) {
		__asm__ volatile("outl %0, %1"
		                 :
		                 : "a"((uint32_t)(uint64_t)&block), "d"((uint16_t)GNOMON_PORT_BENCH)
		                 : "memory");
		arena_run(&block);
	}
}
