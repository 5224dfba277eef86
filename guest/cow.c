/* SPDX-License-Identifier: MIT */
/* Pages that several address spaces use: the first write to one makes a copy, unless its writer is the last user. */
#include "count.h"

static uint64_t nr_copied;

/* Copies the page at `va` to `to` through this CPU's windows. */
static void copy(gpa_t to, uint64_t va, uint64_t size)
{
	char *p = size == PAGE_2M ? window_large(to) : window(to);

	for (uint64_t off = 0; off < size; off += PAGE_SIZE)
		copy_page(p + off, (const void *)(va + off));
	if (size == PAGE_2M)
		window_large_close();
	nr_copied += size / PAGE_SIZE;
}

/* Gives the entry a page of its own, and W. 0 or -ENOMEM. */
static int own_page(pte_t *e, uint64_t va, uint64_t size)
{
	const pte_t old = *e;
	const gpa_t frame = gpa_init(old & PTE_ADDR);
	gpa_t to = frame;

	if (count_others(frame)) {
		to = size == PAGE_2M ? huge_alloc() : page_alloc();
		if (!gpa_raw(to))
			return -ENOMEM;
		copy(to, va & -size, size);
		count_drop(frame);
	}
	*e = (old & ~(PTE_ADDR | PTE_COW)) | gpa_raw(to) | PTE_W;
	invlpg(va);
	return 0;
}

pte_t *cow_write(uint64_t va, uint64_t *ret_size, int *ret_r)
{
	pte_t *e = va < USER_END ? pt_leaf(va, ret_size) : NULL;

	*ret_r = -EFAULT;
	if (!e || (*e & (PTE_P | PTE_U)) != (PTE_P | PTE_U) || !(*e & (PTE_W | PTE_COW)))
		return NULL;
	*ret_r = pt_own(va, *ret_size == PAGE_2M ? 2 : 1);
	if (*ret_r == 0 && *e & PTE_COW)
		*ret_r = own_page(e, va, *ret_size);
	return *ret_r == 0 ? e : NULL;
}

/* Whether every link on the path lets a write pass. */
static bool path_is_own(uint64_t va)
{
	for (int l = 4; l > 1; l--) {
		const pte_t e = *pt_entry(va, l);

		if (!(e & PTE_W))
			return false;
		if (e & PTE_PS)
			return true;
	}
	return *pt_entry(va, 1) & PTE_W;
}

bool cow_fault(uint64_t va)
{
	uint64_t size;
	int r;

	if (va >= USER_END || !pt_leaf(va, &size) || path_is_own(va))
		return false;
	return cow_write(va, &size, &r);
}

uint64_t cow_count_copied(void)
{
	return nr_copied;
}
