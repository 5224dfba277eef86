/* SPDX-License-Identifier: MIT */
/* Rows for what single optimisations of shadow paging are for, and no other row shows. */
#include <gnomon/x86.h>

#include "cost.h"
#include "mmu.h"

#define PAGE      4096ull
#define USED      (PTE_P | PTE_W | PTE_U | PTE_A)
#define ENTRIES   512
#define ELSEWHERE (COST_REGION + 0x40000000) /* the second GiB of REGION, which has no tables yet */

static uint64_t *const frames = (uint64_t *)COST_FRAMES;

static volatile uint8_t *page(uint32_t n)
{
	return (volatile uint8_t *)COST_REGION + n * PAGE;
}

/* Read, but never written. */
void prepare_first_write(uint32_t most)
{
	const uint32_t tables = (most + ENTRIES - 1) / ENTRIES;

	cost_map_falling(tables, USED);
	for (uint32_t i = 0; i < tables * ENTRIES; i++)
		(void)*page(i);
}

void run_first_write(uint32_t from, uint32_t n)
{
	for (uint32_t i = from; i < from + n; i++)
		*page(i) = 1;
}

bool check_first_write(uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		if (!(*(volatile uint64_t *)&cost_pt[i / ENTRIES][i % ENTRIES] & PTE_D))
			return false;
	return true;
}

static volatile uint64_t *word_of(uint32_t table, uint32_t word)
{
	return &frames[(1 + table) * ENTRIES + word];
}

/* The host has the memory. Frame 0 is the page that all tables lead to, by way of the first leaf table. */
void prepare_table_data(uint32_t most)
{
	for (uint32_t t = 0; t <= most; t++)
		*word_of(t, 0) = 0;
	cost_pt[0][0] = COST_FRAMES | USED | PTE_D;
}

/* A page directory is linked, used and unlinked; then its frame is memory like any other. */
void run_table_data(uint32_t from, uint32_t n)
{
	uint64_t *const pdpt = (uint64_t *)(cost_pml4[0][COST_REGION >> 39 & (ENTRIES - 1)] & -PAGE);

	for (uint32_t t = from; t < from + n; t++) {
		*word_of(t, 0) = (uint64_t)cost_pt[0] | USED;
		pdpt[1] = (uint64_t)word_of(t, 0) | USED;
		(void)*(volatile uint8_t *)ELSEWHERE;
		pdpt[1] = 0;
		__asm__ volatile("mov %0, %%cr3" : : "r"(cost_pml4[0]) : "memory");
		for (uint32_t i = 0; i < MMU_STORES; i++)
			*word_of(t, i) = t + i;
	}
}

bool check_table_data(uint32_t n)
{
	for (uint32_t t = 0; t < n; t++)
		for (uint32_t i = 0; i < MMU_STORES; i++)
			if (*word_of(t, i) != t + i)
				return false;
	return true;
}
