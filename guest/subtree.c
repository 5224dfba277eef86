/* SPDX-License-Identifier: MIT */
/*
 * Address spaces that share subtrees of page tables. A link without W is a link to a table that others may link, too:
 * nobody can write anything below it, whatever the leaves say. Rights of a program are decided at the leaf, so that such
 * a link tells nothing else.
 *
 *   fork: copies the root alone      the child writes one page: it gets its own path, and that page
 *
 *   [A]      [B]                     [A]      [B]
 *     \ro    /ro                       |ro      |rw
 *      [pdpt]  1 other                 [pdpt]   [pdpt']
 *      /rw  \rw                      ro/  \ro  ro/  \rw
 *   [pd]    [pd]                     [pd]  [pd]      [pd']       the left pd has 1 other
 *
 * Whoever writes makes the tables on its path its own, from the top (pt_own). A copied table shares what it links. So
 * both copies lose W in every link and in every leaf; PTE_COW notes which leaves a program may write. A table without
 * others is not copied: its link gets W back.
 *
 * What is linked without W is in no TLB as writable. A process runs on one CPU for life, so its own flush at fork is
 * enough, and a copy that takes W from entries of a shared table has nothing to flush on other CPUs.
 */
#include "count.h"

static uint64_t nr_copied;

static uint64_t index_of(uint64_t va, int level)
{
	return va >> (PAGE_SHIFT + 9 * (level - 1)) & 511;
}

static bool is_link(pte_t e)
{
	return (e & (PTE_P | PTE_PS)) == PTE_P;
}

static void flush(void)
{
	write_cr3(this_cpu()->pml4);
}

/* Takes back what share_entries() did to the first `n` entries. That they lost W needs no undoing. */
static void unshare_entries(const pte_t *table, int n, int skip)
{
	for (int i = next_entry(table, 0); i < n; i = next_entry(table, i + 1))
		if (table[i] & PTE_P && i != skip)
			count_drop(gpa_init(table[i] & PTE_ADDR));
}

/*
 * Everything that the table links gets another user, and loses W here. A leaf notes that it had W. `table` is the
 * self-map's, which others' links make read-only. `skip` is the index of an entry whose target gets no other user, or
 * -1. False: out of memory.
 */
static bool share_entries(gpa_t frame, const pte_t *table, int level, int skip)
{
	pte_t *w = window(frame);

	/* Others' CPUs may set A meanwhile, and it may be lost: nobody asks for it. None sets D below a link without W. */
	for (int i = 0; i < 512; i++) {
		const pte_t e = w[i];
		const gpa_t target = gpa_init(e & PTE_ADDR);

		if (!(e & PTE_P) || i == skip) {
			i = next_entry(w, i + 1) - 1;
			continue;
		}
		if (!count_is_here(target)) {
			if (!count_room(target)) {
				unshare_entries(table, i, skip);
				return false;
			}
			w = window(frame);
		}
		count_raise(target);
		if (e & PTE_W)
			w[i] = (e & ~PTE_W) | (level == 1 || e & PTE_PS ? PTE_COW : 0);
	}
	return true;
}

/* The page of the self-map that shows the table with the entry of `level` for `va`. */
static const pte_t *table_of(uint64_t va, int level)
{
	return (const pte_t *)((uint64_t)pt_entry(va, level) & PAGE_MASK);
}

/*
 * A copy of the table with the entry of `level` for `va`. If `below` is not 0 the copy's entry for `va` links that, and
 * not what the original links. gpa 0: out of memory, nothing has changed.
 */
static gpa_t copy_table(uint64_t va, int level, gpa_t below)
{
	const int skip = gpa_raw(below) ? (int)index_of(va, level) : -1;
	const pte_t *const table = table_of(va, level);
	const gpa_t copy = table_alloc();
	pte_t *w;

	if (!gpa_raw(copy))
		return copy;
	if (!share_entries(gpa_init(*pt_entry(va, level + 1) & PTE_ADDR), table, level, skip)) {
		table_free(copy);
		return gpa_init(0);
	}
	w = window(copy);
	copy_page(w, table);
	if (skip >= 0)
		w[skip] = (table[skip] & ~PTE_ADDR) | gpa_raw(below) | PTE_W;
	return copy;
}

/*
 * Copies the tables on the path below the link of level `top`, which have others, down to that with the entry of
 * `level`. From the bottom: a single store in the end makes all of them visible.
 */
static int copy_path(uint64_t va, int top, int level)
{
	pte_t *const link = pt_entry(va, top);
	gpa_t copies[5] = {{0}};
	int low = top, l;

	while (low > level && is_link(*pt_entry(va, low)))
		low--;
	for (l = low; l < top; l++) {
		copies[l] = copy_table(va, l, l > low ? copies[l - 1] : gpa_init(0));
		if (!gpa_raw(copies[l]))
			break;
	}
	if (l < top) {
		while (l-- > low) {
			unshare_entries(table_of(va, l), 512, l > low ? (int)index_of(va, l) : -1);
			table_free(copies[l]);
		}
		return -ENOMEM;
	}
	nr_copied += top - low;
	count_drop(gpa_init(*link & PTE_ADDR));
	*link = (*link & ~PTE_ADDR) | gpa_raw(copies[top - 1]) | PTE_W;
	flush();
	return 0;
}

int pt_own(uint64_t va, int level)
{
	for (int l = 4; l > level; l--) {
		pte_t *const link = pt_entry(va, l);

		if (!is_link(*link))
			return 0;
		if (*link & PTE_W)
			continue;
		if (count_others(gpa_init(*link & PTE_ADDR)))
			return copy_path(va, l, level);
		*link |= PTE_W;
		flush(); /* the tables below are read-only in the self-map until then */
	}
	return 0;
}

gpa_t pt_share_space(void)
{
	pte_t *const link = pt_entry(0, 4), e = *link & ~PTE_W;
	gpa_t space;

	if (!count_room(gpa_init(e & PTE_ADDR)))
		return gpa_init(0);
	space = pt_new_space();
	if (!gpa_raw(space))
		return space;
	count_raise(gpa_init(e & PTE_ADDR));
	*link = e;
	*(pte_t *)window(space) = e;
	flush();
	return space;
}

int pt_own_all(void)
{
	const pte_t *const l3 = table_of(0, 3);

	for (int i = next_entry(l3, 0); i < 512; i = next_entry(l3, i + 1)) {
		const uint64_t gib = (uint64_t)i << 30;
		const pte_t *const l2 = table_of(gib, 2);

		for (int j = next_entry(l2, 0); j < 512; j = next_entry(l2, j + 1))
			if (pt_own(gib + j * PAGE_2M, is_link(l2[j]) ? 1 : 2) < 0)
				return -ENOMEM;
	}
	return 0;
}

uint64_t pt_count_copied(void)
{
	return nr_copied;
}
