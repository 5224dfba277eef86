/* SPDX-License-Identifier: MIT */
/*
 * A process offers a subtree of its page tables, and any process links it. That needs no fork: a library is there once
 * for programs that were started apart. The offer itself is a user of the table, so that what is offered stays as it
 * was, whatever the one who offered it writes afterwards.
 */
#include "count.h"

int64_t offer_make(struct proc *p, uint64_t va, uint64_t level)
{
	const uint64_t size = PAGE_SIZE << 9 * (level - 1);
	gpa_t table;
	pte_t *e;

	if (level < 2 || level > 3 || va % size || va < MMAP_BASE || va >= SHARED_BASE)
		return -EINVAL;
	if (gpa_raw(p->offered))
		return -EBUSY;
	e = pt_walk(va, level);
	if (!e || (*e & (PTE_P | PTE_PS)) != PTE_P)
		return -EINVAL;
	table = gpa_init(*e & PTE_ADDR);
	if (pt_own(va, level) < 0 || !count_room(table))
		return -ENOMEM;
	count_raise(table);
	*e &= ~PTE_W;
	write_cr3(this_cpu()->pml4); /* no TLB may have it writable, and p runs nowhere else */
	p->offered = table;
	p->offered_level = level;
	return 0;
}

int64_t offer_take(struct proc *p, const struct proc *from)
{
	uint64_t size, va;
	pte_t *e;

	if (!gpa_raw(from->offered))
		return -EINVAL;
	size = PAGE_SIZE << 9 * (from->offered_level - 1);
	va = (p->mmap_next + size - 1) & -size;
	if (va + size >= SHARED_BASE)
		return -EINVAL;
	e = pt_make(va, from->offered_level);
	if (!e)
		return -ENOMEM;
	count_raise(from->offered);
	*e = gpa_raw(from->offered) | (PT_LINK & ~PTE_W);
	p->mmap_next = va + size;
	return va;
}

void offer_end(struct proc *p)
{
	const gpa_t table = p->offered;

	p->offered = gpa_init(0);
	if (gpa_raw(table) && !count_drop(table))
		pt_free_unlinked(table, p->offered_level - 1);
}
