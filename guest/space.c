/* SPDX-License-Identifier: MIT */
/* Fills the address space in CR3 and empties it. What processes share is not in the way: see subtree.c. */
#include "count.h"

/*
 * The entry of `level` for `va`. Makes missing tables, and all of them the address space's own. NULL: out of memory, or
 * a large page is in the way.
 */
pte_t *pt_make(uint64_t va, int level)
{
	for (int l = 4; l > level; l--) {
		pte_t *e = pt_entry(va, l);

		if (*e & PTE_PS)
			return NULL;
		if (!(*e & PTE_P)) {
			gpa_t table = table_alloc();

			if (!gpa_raw(table))
				return NULL;
			*e = gpa_raw(table) | PT_LINK;
			/*
			 * It is zero. But for memory that is read first Linux before 6.13 has one large page of zeroes,
			 * and small pages from the first write on: longer walks for all 2 MiB around it.
			 */
			*pt_entry(va, l - 1) = 0;
		} else if (!(*e & PTE_W) && pt_own(va, level) < 0) {
			return NULL;
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

int pt_map_page(uint64_t va, uint64_t flags)
{
	const gpa_t frame = page_alloc();

	if (!gpa_raw(frame))
		return -ENOMEM;
	if (pt_map(va, frame, 1, flags) == 0)
		return 0;
	page_free(frame);
	return -ENOMEM;
}

static int map_fresh(uint64_t va, int pages)
{
	for (int i = 0; i < pages; i++)
		if (pt_map_page(va + i * PAGE_SIZE, PTE_P | PTE_W | PTE_U | PTE_NX) < 0)
			return -ENOMEM;
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

static void free_below(uint64_t va, int level)
{
	const pte_t *const table = pt_entry(va, level);

	for (int i = next_entry(table, 0); i < 512; i = next_entry(table, i + 1)) {
		const pte_t e = table[i];
		const gpa_t frame = gpa_init(e & PTE_ADDR);

		if (!(e & PTE_P) || e & PTE_ENCLAVE || count_drop(frame))
			continue;
		if (level == 1) {
			page_free(frame);
		} else if (e & PTE_PS) {
			huge_free(frame);
		} else {
			free_below(va + (uint64_t)i * (PAGE_SIZE << 9 * (level - 1)), level - 1);
			table_free(frame);
		}
	}
}

/*
 * Frees everything private in the address space in CR3, tables included, but what others use. Freeing writes into tables
 * that CR3 still leads to: the caller must load another CR3 before it touches user memory or allocates. A table is freed
 * after everything below it, so nothing here reads a freed table.
 */
void pt_free_space(void)
{
	pte_t e = *pt_entry(0, 4);

	if (e & PTE_P && !count_drop(gpa_init(e & PTE_ADDR))) {
		free_below(0, 3);
		table_free(gpa_init(e & PTE_ADDR));
	}
}

/* Through the window, one table after the other: nothing shows them. Each level has its copy of a table here. */
void pt_free_unlinked(gpa_t table, int level)
{
	static pte_t copies[2][512] __attribute__((aligned(4096)));
	pte_t *const copy = copies[level - 1];

	copy_page(copy, window(table));
	for (int i = next_entry(copy, 0); i < 512; i = next_entry(copy, i + 1)) {
		const gpa_t frame = gpa_init(copy[i] & PTE_ADDR);

		if (!(copy[i] & PTE_P) || count_drop(frame))
			continue;
		if (level == 1)
			page_free(frame);
		else if (copy[i] & PTE_PS)
			huge_free(frame);
		else
			pt_free_unlinked(frame, level - 1);
	}
	table_free(table);
}
