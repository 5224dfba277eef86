/* SPDX-License-Identifier: MIT */
/*
 * Memory that programs ask for. Addresses only go up and are never used again, so a new mapping needs no flush. A page
 * is writable or executable, never both.
 */
#include "count.h"
#include "device.h"
#include "kernel.h"

#define DATA (PTE_P | PTE_W | PTE_U | PTE_NX)

static uint64_t shared_next = SHARED_BASE;

static int map_lazy(uint64_t va, uint64_t pages)
{
	for (uint64_t i = 0; i < pages; i++) {
		pte_t *e = pt_make(va + i * PAGE_SIZE, 1);

		if (!e)
			return -ENOMEM;
		*e = PTE_LAZY;
	}
	return 0;
}

static int map_huge(uint64_t va, uint64_t len)
{
	for (uint64_t i = 0; i < len; i += PAGE_2M) {
		pte_t *e = pt_make(va + i, 2);
		gpa_t frame = gpa_init(0);

		if (e)
			frame = huge_alloc();
		if (!gpa_raw(frame))
			return -ENOMEM;
		*e = gpa_raw(frame) | DATA | PTE_PS;
	}
	return 0;
}

/* Those of a run that found no table. */
static void free_unmapped(uint64_t va, gpa_t frame, uint64_t pages)
{
	for (uint64_t off = 0; off < pages * PAGE_SIZE; off += PAGE_SIZE) {
		const pte_t *e = pt_walk(va + off, 1);

		if (!e || !*e)
			page_free(gpa_add(frame, off));
	}
}

/* Small requests reuse freed frames. Large ones take one fresh run, which maps faster. */
static int map_small(uint64_t va, uint64_t pages)
{
	for (; pages && pages < 64; pages--, va += PAGE_SIZE)
		if (pt_map_page(va, DATA) < 0)
			return -ENOMEM;
	while (pages) {
		uint64_t run = pages;
		gpa_t frame;

		while (gpa_raw(frame = run > 1 ? page_alloc_run(run) : page_alloc()) == 0)
			if ((run /= 2) == 0)
				return -ENOMEM;
		if (pt_map(va, frame, run, DATA | PTE_A | PTE_D) < 0) {
			free_unmapped(va, frame, run);
			return -ENOMEM;
		}
		va += run * PAGE_SIZE;
		pages -= run;
	}
	return 0;
}

/*
 * The address of `len` fresh zeroed bytes, or -errno. After a failure half-way private memory is freed, shared memory
 * leaks.
 */
int64_t mmap_map(struct proc *p, uint64_t len, uint64_t flags)
{
	uint64_t *next = flags & MMAP_SHARED ? &shared_next : &p->mmap_next;
	uint64_t limit = flags & MMAP_SHARED ? USER_END : SHARED_BASE;
	const uint64_t size = flags & MMAP_HUGE ? PAGE_2M : PAGE_SIZE, align = flags & MMAP_GIB     ? 512 * PAGE_2M
	                                                                       : flags & MMAP_APART ? PAGE_2M
	                                                                                            : size;
	uint64_t va = (*next + align - 1) & -align;
	int r;

	if (!len || len > limit - va - PAGE_2M ||
	    flags & ~(uint64_t)(MMAP_HUGE | MMAP_SHARED | MMAP_LAZY | MMAP_APART | MMAP_GIB))
		return -EINVAL;
	len = (len + size - 1) & -size;
	if (!(flags & MMAP_LAZY) && len / PAGE_SIZE > page_count_free() + device_spare())
		return -ENOMEM;
	*next = va + len;
	if (flags & MMAP_HUGE)
		r = map_huge(va, len);
	else if (flags & MMAP_LAZY)
		r = map_lazy(va, len / PAGE_SIZE);
	else
		r = map_small(va, len / PAGE_SIZE);
	if (r == 0)
		return va;
	if (!(flags & MMAP_SHARED))
		mmap_unmap(va, len);
	return r;
}

/* Private memory only. Other processes may use shared memory. */
static bool private_range(uint64_t va, uint64_t len)
{
	return va % PAGE_SIZE == 0 && va >= MMAP_BASE && va < SHARED_BASE && len && len <= SHARED_BASE - va;
}

/*
 * As pt_leaf, for a caller that goes up and changes entries: the table is the address space's own then. `*last` is the
 * number of the 2 MiB that it was asked about last, or -1. `ret_r` is -ENOMEM if there is no memory for the table.
 */
static pte_t *own_leaf(uint64_t va, uint64_t *last, uint64_t *ret_size, int *ret_r)
{
	pte_t *const e = pt_leaf(va, ret_size);

	*ret_r = 0;
	if (e && va / PAGE_2M != *last) {
		*last = va / PAGE_2M;
		*ret_r = pt_own(va, *ret_size == PAGE_2M ? 2 : 1);
	}
	return *ret_r < 0 ? NULL : e;
}

/* Behind what own_leaf() or pt_leaf() looked at. */
static uint64_t behind(uint64_t va, uint64_t size)
{
	return (va & -size) + size;
}

/* Unmaps every page that begins in the range, of 4 KiB or 2 MiB. After -ENOMEM the last ones are still there. */
int64_t mmap_unmap(uint64_t va, uint64_t len)
{
	const uint64_t end = va + len;
	uint64_t last = -1, size;
	int r = 0;

	if (!private_range(va, len))
		return -EINVAL;
	for (; va < end; va = behind(va, size)) {
		pte_t *e = own_leaf(va, &last, &size, &r), old = e ? *e : 0;

		if (r < 0)
			break;
		if (!old || old & PTE_ENCLAVE)
			continue;
		*e = 0;
		if (!(old & PTE_P))
			continue;
		invlpg(va);
		if (count_drop(gpa_init(old & PTE_ADDR)))
			continue;
		if (size == PAGE_2M)
			huge_free(gpa_init(old & PTE_ADDR));
		else
			page_free(gpa_init(old & PTE_ADDR));
	}
	device_freed();
	return r;
}

/* The entry of a page with others never has W, which would let a write through to them. */
static pte_t with_rights(pte_t e, uint64_t rights)
{
	if (rights & PTE_W && count_others(gpa_init(e & PTE_ADDR)))
		rights ^= PTE_W | PTE_COW;
	return (e & ~(PTE_W | PTE_COW | PTE_NX)) | rights;
}

int64_t mmap_protect(uint64_t va, uint64_t len, uint64_t prot)
{
	uint64_t rights = (prot & PROT_W ? PTE_W : 0) | (prot & PROT_X ? 0 : PTE_NX);
	const uint64_t end = va + len;
	uint64_t last = -1, size;
	int r;

	if (!private_range(va, len) || prot > PROT_X)
		return -EINVAL;
	for (; va < end; va = behind(va, size)) {
		pte_t *e = own_leaf(va, &last, &size, &r);

		if (r < 0)
			return r;
		if (!e || (*e & (PTE_P | PTE_ENCLAVE)) != PTE_P)
			continue;
		*e = with_rights(*e, rights);
		invlpg(va);
	}
	return 0;
}

bool mmap_unused(uint64_t va, uint64_t len)
{
	const uint64_t end = va + len;
	uint64_t size;

	if (!private_range(va, len))
		return false;
	for (; va < end; va = behind(va, size)) {
		const pte_t *e = pt_leaf(va, &size);

		if (e && *e)
			return false;
	}
	return true;
}

pte_t *mmap_page(uint64_t va)
{
	uint64_t size;
	int r;
	pte_t *e = private_range(va, PAGE_SIZE) ? cow_write(va, &size, &r) : NULL;

	return e && size == PAGE_SIZE && !(*e & PTE_ENCLAVE) ? e : NULL;
}

/*
 * If `va` was waiting for its first touch, maps it. If a write there was waiting to become the program's own, makes it
 * so. False: neither, or memory is out.
 */
bool mmap_fault(uint64_t va, uint64_t error)
{
	pte_t *e = va < USER_END ? pt_walk(va, 1) : NULL;
	gpa_t frame;

	if (error & PFEC_P)
		return (error & (PFEC_W | PFEC_RSVD)) == PFEC_W && cow_fault(va);
	if (!e || *e != PTE_LAZY || pt_own(va, 1) < 0)
		return false;
	frame = page_alloc();
	if (!gpa_raw(frame))
		return false;
	*e = gpa_raw(frame) | DATA;
	return true;
}
