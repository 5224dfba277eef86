/* SPDX-License-Identifier: MIT */
/*
 * Page tables through a recursive entry. PML4 slot SELF_SLOT points to the PML4 itself. A walk that passes through it
 * once ends one level early, on a table:
 *
 *   address = | self | l4 | l3 | l2 | l1 x 8 |    the level 1 entry for l4:l3:l2:l1
 *             | self | self | l4 | l3 | l2 x 8 |  the level 2 entry, and so on up
 *
 * Nothing else maps tables, so the kernel reaches only those of the address space in CR3. It reaches a frame without a
 * mapping through the CPU's window (window.c).
 */
#include "kernel.h"

#define VA_BITS          48
#define SIGN             0xffff000000000000
#define SELF(level_bits) ((uint64_t)SELF_SLOT << (level_bits))

static uint64_t nr_tables = 4; /* of processes; tables.S has those of the first one */

gpa_t table_alloc(void)
{
	const gpa_t table = page_alloc();

	nr_tables += gpa_raw(table) != 0;
	return table;
}

void table_free(gpa_t table)
{
	nr_tables--;
	page_free(table);
}

uint64_t pt_count_tables(void)
{
	return nr_tables;
}

/* The place of the entry of `level` for `va`. The tables above it must exist. */
pte_t *pt_entry(uint64_t va, int level)
{
	static const uint64_t base[] = {
	    [1] = SIGN | SELF(39),
	    [2] = SIGN | SELF(39) | SELF(30),
	    [3] = SIGN | SELF(39) | SELF(30) | SELF(21),
	    [4] = SIGN | SELF(39) | SELF(30) | SELF(21) | SELF(12),
	};
	uint64_t index = (va & ~SIGN) >> (PAGE_SHIFT + 9 * (level - 1));

	return (pte_t *)base[level] + index;
}

/* The entry of `level` for `va`. NULL: a table above it is missing, or a large page is in the way. */
pte_t *pt_walk(uint64_t va, int level)
{
	for (int l = 4; l > level; l--)
		if ((*pt_entry(va, l) & (PTE_P | PTE_PS)) != PTE_P)
			return NULL;
	return pt_entry(va, level);
}

pte_t *pt_leaf(uint64_t va, uint64_t *ret_size)
{
	pte_t *e = pt_walk(va, 2);

	*ret_size = e ? PAGE_2M : PAGE_1G;
	if (!e || *e & PTE_PS || !*e)
		return e && *e ? e : NULL;
	*ret_size = PAGE_SIZE;
	return pt_walk(va, 1);
}

/* A new PML4 with the kernel, the self-map and the shared memory. gpa 0: out of memory. */
gpa_t pt_new_space(void)
{
	gpa_t frame = table_alloc();

	if (gpa_raw(frame)) {
		pte_t *pml4 = window(frame);

		pml4[SHARED_SLOT] = boot_pml4[SHARED_SLOT];
		pml4[SELF_SLOT] = gpa_raw(frame) | PTE_P | PTE_W | PTE_NX;
		pml4[511] = boot_pml4[511];
	}
	return frame;
}
