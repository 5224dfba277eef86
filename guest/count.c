/* SPDX-License-Identifier: MIT */
#include "count.h"

uint64_t count_shared, count_here;
static uint64_t nr_notes;

bool count_find(gpa_t frame)
{
	const uint64_t va = (uint64_t)count_of(frame) & PAGE_MASK;
	const pte_t *const e = pt_walk(va, 1);

	if (!e || !*e)
		return false;
	count_here = va;
	return true;
}

/* A page more for `*e`, which is not present. It and its tables are the kernel's, in all address spaces. */
static bool add_page(pte_t *e, pte_t flags)
{
	const gpa_t page = page_alloc();

	if (!gpa_raw(page))
		return false;
	*e = gpa_raw(page) | flags;
	nr_notes++;
	return true;
}

bool count_room(gpa_t frame)
{
	const uint64_t va = (uint64_t)count_of(frame);

	if (count_find(frame))
		return true;
	if (!(*pt_entry(va, 2) & PTE_P) && !add_page(pt_entry(va, 2), PTE_P | PTE_W))
		return false;
	return add_page(pt_entry(va, 1), PTE_P | PTE_W | PTE_NX) && count_find(frame);
}

uint64_t count_notes(void)
{
	return nr_notes;
}
