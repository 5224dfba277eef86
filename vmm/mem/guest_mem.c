/* SPDX-License-Identifier: MIT */
#include "mem/guest_mem.h"

#include <errno.h>
#include <gnomon/abi.h>
#include <string.h>
#include <sys/mman.h>

#ifndef MAP_HUGE_2MB
#define MAP_HUGE_2MB (21 << 26)
#endif

#ifndef MADV_COLLAPSE /* Linux 6.1 */
#define MADV_COLLAPSE 25
#endif
#ifndef MADV_GUARD_INSTALL /* Linux 6.13 */
#define MADV_GUARD_INSTALL 102
#define MADV_GUARD_REMOVE  103
#endif

static const char *const backing_names[] = {
    [BACKING_4K] = "4k",
    [BACKING_THP] = "thp",
    [BACKING_HUGETLB2M] = "hugetlb2m",
};

int backing_parse(const char *text, enum backing *ret_backing)
{
	for (size_t i = 0; i < sizeof(backing_names) / sizeof(*backing_names); i++) {
		if (strcmp(text, backing_names[i]) == 0) {
			*ret_backing = (enum backing)i;
			return 0;
		}
	}
	return -EINVAL;
}

const char *backing_name(enum backing b)
{
	return backing_names[b];
}

/* Anonymous memory aligned to 2 MiB: maps 2 MiB more and gives the ends back. */
static void *map_aligned(uint64_t size)
{
	uint8_t *p =
	    mmap(NULL, size + PAGE_2M, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	uint64_t head;

	if (p == MAP_FAILED)
		return NULL;
	head = -(uintptr_t)p & (PAGE_2M - 1);
	if (head)
		munmap(p, head);
	munmap(p + head + size, PAGE_2M - head);
	return p + head;
}

/* No NORESERVE here: a pool that is too small must fail now, not as SIGBUS later. */
static void *map_hugetlb(uint64_t size)
{
	return mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB | MAP_HUGE_2MB, -1,
	            0);
}

static int map_region(struct mem_region *r, enum backing backing)
{
	if (backing == BACKING_HUGETLB2M) {
		r->host = map_hugetlb(r->size);
		return r->host == MAP_FAILED ? -errno : 0;
	}
	r->host = map_aligned(r->size);
	if (!r->host)
		return -errno;
	/* A host without THP refuses both pieces of advice, and means 4 KiB pages either way. */
	(void)madvise(r->host, r->size, backing == BACKING_THP ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
	return 0;
}

/* Asked with a page of its own: a guard in guest memory would keep a huge page from there. */
static bool host_guards(void)
{
	void *p = mmap(NULL, PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	bool can;

	if (p == MAP_FAILED)
		return false;
	can = madvise(p, PAGE_SIZE, MADV_GUARD_INSTALL) == 0;
	munmap(p, PAGE_SIZE);
	return can;
}

int guest_mem_init(struct guest_mem *mem, uint64_t size, enum backing backing)
{
	uint64_t low = size < GNOMON_RAM_LOW_END ? size : GNOMON_RAM_LOW_END;
	const struct mem_region plan[GUEST_MEM_REGIONS] = {
	    {.base = maddr_init(0), .size = low},
	    {.base = maddr_init(GNOMON_RAM_HIGH_BASE), .size = size - low},
	};

	*mem = (struct guest_mem){.size = size, .backing = backing};
	for (int i = 0; i < GUEST_MEM_REGIONS && plan[i].size; i++) {
		int r;

		mem->region[i] = plan[i];
		r = map_region(&mem->region[i], backing);
		if (r < 0) {
			guest_mem_destroy(mem);
			return r;
		}
		mem->nr_regions++;
	}
	mem->guards = backing != BACKING_HUGETLB2M && host_guards();
	return 0;
}

void guest_mem_destroy(struct guest_mem *mem)
{
	for (int i = 0; i < mem->nr_regions; i++)
		munmap(mem->region[i].host, mem->region[i].size);
	mem->nr_regions = 0;
}

void *guest_mem_ptr(const struct guest_mem *mem, maddr_t at, uint64_t len)
{
	for (int i = 0; i < mem->nr_regions; i++) {
		const struct mem_region *r = &mem->region[i];
		uint64_t off = maddr_raw(at) - maddr_raw(r->base); /* wraps to huge when below */

		if (off < r->size && len && len <= r->size - off)
			return r->host + off;
	}
	return NULL;
}

uint64_t guest_mem_host_page(const struct guest_mem *mem)
{
	return mem->backing == BACKING_HUGETLB2M ? PAGE_2M : PAGE_SIZE;
}

int guest_mem_discard(const struct guest_mem *mem, maddr_t at, uint64_t size)
{
	void *p = guest_mem_ptr(mem, at, size);

	if (!p || (maddr_raw(at) | size) & (guest_mem_host_page(mem) - 1))
		return -EINVAL;
	/* Private memory: what DONTNEED frees of a shared mapping stays in its file. */
	return madvise(p, size, MADV_DONTNEED) < 0 ? -errno : 0;
}

/* NULL unless they are whole host pages of RAM. */
static void *whole_pages(const struct guest_mem *mem, maddr_t at, uint64_t size)
{
	return (maddr_raw(at) | size) & (guest_mem_host_page(mem) - 1) ? NULL : guest_mem_ptr(mem, at, size);
}

/* The pages' place stays taken: nothing else of the process may come to lie in guest memory. */
static int reserve_place(void *p, uint64_t size)
{
	void *got = mmap(p, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);

	return got == MAP_FAILED ? -errno : 0;
}

int guest_mem_withdraw(const struct guest_mem *mem, maddr_t at, uint64_t size)
{
	void *p = whole_pages(mem, at, size);

	if (!p)
		return -EINVAL;
	if (mem->guards)
		return madvise(p, size, MADV_GUARD_INSTALL) < 0 ? -errno : 0;
	/* The content first: then nothing is left that KVM must unmap a second time when the protection goes. */
	if (mem->backing != BACKING_HUGETLB2M && madvise(p, size, MADV_DONTNEED) < 0)
		return -errno;
	return mprotect(p, size, PROT_NONE) < 0 ? -errno : 0;
}

int guest_mem_surrender(const struct guest_mem *mem, maddr_t at, uint64_t size)
{
	void *p = whole_pages(mem, at, size);

	if (!p)
		return -EINVAL;
	if (mem->guards)
		return 0; /* with the guards' coming */
	/* A discarded hugetlb page stays reserved for its mapping (HugePages_Rsvd): so the mapping goes. */
	if (mem->backing == BACKING_HUGETLB2M)
		return reserve_place(p, size);
	return guest_mem_discard(mem, at, size);
}

/* Mapped elsewhere and then moved: a MAP_FIXED that the pool cannot serve would leave a hole for others to map in. */
static int restore_hugetlb(void *p, uint64_t size)
{
	void *fresh = map_hugetlb(size);
	int r;

	if (fresh == MAP_FAILED)
		return -errno;
	if (mremap(fresh, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, p) != MAP_FAILED)
		return 0;
	r = -errno;
	munmap(fresh, size);
	return reserve_place(p, size) < 0 ? -EFAULT : r;
}

/*
 * The page table that held the guards is empty now, and where there is one the host's next page is small. Discarding
 * whole 2 MiB frees it (since Linux 6.14). Advice: without it huge pages come later.
 */
static void make_room_for_huge(void *p, uint64_t size)
{
	const uintptr_t first = ((uintptr_t)p + PAGE_2M - 1) & ~(PAGE_2M - 1);
	const uintptr_t end = ((uintptr_t)p + size) & ~(PAGE_2M - 1);

	if (first < end)
		(void)madvise((uint8_t *)p + (first - (uintptr_t)p), end - first, MADV_DONTNEED);
}

int guest_mem_restore(const struct guest_mem *mem, maddr_t at, uint64_t size)
{
	void *p = whole_pages(mem, at, size);

	if (!p)
		return -EINVAL;
	if (mem->backing == BACKING_HUGETLB2M)
		return restore_hugetlb(p, size);
	if (!mem->guards)
		return mprotect(p, size, PROT_READ | PROT_WRITE) < 0 ? -errno : 0;
	if (madvise(p, size, MADV_GUARD_REMOVE) < 0)
		return -errno;
	if (mem->backing == BACKING_THP)
		make_room_for_huge(p, size);
	return 0;
}

void guest_mem_ask_huge(const struct guest_mem *mem, maddr_t at, uint64_t size)
{
	unsigned char resident[PAGE_2M / PAGE_SIZE];
	void *p = guest_mem_ptr(mem, at, size);
	unsigned n = 0;

	BUG_ON(size != PAGE_2M);
	if (mem->backing != BACKING_THP || !p || mincore(p, size, resident) < 0)
		return;
	for (unsigned i = 0; i < sizeof(resident); i++)
		n += resident[i] & 1;
	if (n >= sizeof(resident) / 2)
		(void)madvise(p, size, MADV_COLLAPSE);
}
