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
#define TABLE            (PTE_P | PTE_W | PTE_U) /* rights are decided at the leaf */
#define SIGN             0xffff000000000000
#define SELF(level_bits) ((uint64_t)SELF_SLOT << (level_bits))

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

/* Likewise, but makes missing tables. NULL: out of memory, or a large page is in the way. */
pte_t *pt_make(uint64_t va, int level)
{
	for (int l = 4; l > level; l--) {
		pte_t *e = pt_entry(va, l);

		if (*e & PTE_PS)
			return NULL;
		if (!(*e & PTE_P)) {
			gpa_t table = page_alloc();

			if (!gpa_raw(table))
				return NULL;
			*e = gpa_raw(table) | TABLE;
			/*
			 * It is zero. But for memory that is read first Linux before 6.13 has one large page of zeroes,
			 * and small pages from the first write on: longer walks for all 2 MiB around it.
			 */
			*pt_entry(va, l - 1) = 0;
		}
	}
	return pt_entry(va, level);
}

/*
 * Maps `pages` frames from `frame` on at `va`. Nothing may be mapped there, so there is nothing to flush. 0 or -ENOMEM.
 * The inner loop is what a big mapping costs: keep it short.
 */
int pt_map(uint64_t va, gpa_t frame, uint64_t pages, uint64_t flags)
{
	pte_t leaf = gpa_raw(frame) | flags;

	while (pages) {
		pte_t *e = pt_make(va, 1);
		uint64_t n = 512 - (va >> PAGE_SHIFT) % 512;

		if (!e)
			return -ENOMEM;
		if (n > pages)
			n = pages;
		pages -= n;
		va += n * PAGE_SIZE;
		for (; n >= 8; n -= 8, e += 8, leaf += 8 * PAGE_SIZE)
#pragma GCC unroll 8
			for (int i = 0; i < 8; i++)
				e[i] = leaf + i * PAGE_SIZE;
		for (; n; n--, leaf += PAGE_SIZE)
			*e++ = leaf;
	}
	return 0;
}

static int map_fresh(uint64_t va, int pages)
{
	for (int i = 0; i < pages; i++) {
		gpa_t frame = page_alloc();

		if (!gpa_raw(frame) || pt_map(va + i * PAGE_SIZE, frame, 1, PTE_P | PTE_W | PTE_U | PTE_NX) < 0)
			return -ENOMEM;
	}
	return 0;
}

/* Makes for another process what tables.S made for the first: the image's code, fresh data and stack. 0 or -ENOMEM. */
int pt_user_init(void)
{
	if (pt_map(USER_PAGE(UTEXT_AT), gpa_init(IMAGE_PHYS(UTEXT_PAGE)), UTEXT_PAGES, PTE_P | PTE_U) < 0 ||
	    pt_map(USER_PAGE(URODATA_AT), gpa_init(IMAGE_PHYS(URODATA_PAGE)), URODATA_PAGES + UDATA_PAGES,
	           PTE_P | PTE_U | PTE_NX) < 0 ||
	    map_fresh(USER_PAGE(UDATA_AT), UDATA_PAGES) < 0)
		return -ENOMEM;
	return map_fresh(USER_PAGE(USTACK_AT), USTACK_PAGES);
}

/* A new PML4 with the kernel, the self-map and the shared memory. gpa 0: out of memory. */
gpa_t pt_new_space(void)
{
	gpa_t frame = page_alloc();

	if (gpa_raw(frame)) {
		pte_t *pml4 = window(frame);

		pml4[SHARED_SLOT] = boot_pml4[SHARED_SLOT];
		pml4[SELF_SLOT] = gpa_raw(frame) | PTE_P | PTE_W | PTE_NX;
		pml4[511] = boot_pml4[511];
	}
	return frame;
}

static void free_below(uint64_t va, int level)
{
	for (int i = 0; i < 512; i++, va += PAGE_SIZE << 9 * (level - 1)) {
		pte_t e = *pt_entry(va, level);
		gpa_t frame = gpa_init(e & PTE_ADDR);

		if (!(e & PTE_P) || e & PTE_ENCLAVE)
			continue;
		if (level == 1) {
			page_free(frame);
		} else if (e & PTE_PS) {
			huge_free(frame);
		} else {
			free_below(va, level - 1);
			page_free(frame);
		}
	}
}

/*
 * Frees everything private in the address space in CR3, tables included. Freeing writes into tables that CR3 still
 * leads to: the caller must load another CR3 before it touches user memory or allocates. A table is freed after
 * everything below it, so nothing here reads a freed table.
 */
void pt_free_space(void)
{
	pte_t e = *pt_entry(0, 4);

	if (e & PTE_P) {
		free_below(0, 3);
		page_free(gpa_init(e & PTE_ADDR));
	}
}
