/* SPDX-License-Identifier: MIT */
/* The leaf tables of REGION. */
#include <gnomon/x86.h>

#include "cost.h"

#define PAGE    4096ull
#define USED    (PTE_P | PTE_W | PTE_U | PTE_A | PTE_D)
#define ENTRIES 512

void cost_map_region(uint32_t tables)
{
	for (uint32_t t = 0; t < tables; t++)
		for (uint32_t i = 0; i < ENTRIES; i++)
			cost_pt[t][i] = (COST_FRAMES + (t * ENTRIES + i) * PAGE) | USED;
}

void cost_map_falling(uint32_t tables, uint64_t flags)
{
	for (uint32_t t = 0; t < tables; t++) {
		for (uint32_t i = 0; i < ENTRIES; i++) {
			cost_pt[t][i] = (COST_FRAMES + (t * ENTRIES + ENTRIES - 1 - i) * PAGE) | flags;
			*(volatile uint8_t *)(COST_FRAMES + (t * ENTRIES + i) * PAGE) = 0;
		}
	}
}
