/* SPDX-License-Identifier: MIT */
#include "mem/guest_mem.h"

#include <errno.h>
#include <gnomon/abi.h>
#include <string.h>
#include <sys/mman.h>

#ifndef MADV_COLLAPSE /* Linux 6.1 */
#define MADV_COLLAPSE 25
#endif
#ifndef MADV_GUARD_INSTALL /* Linux 6.13 */
#define MADV_GUARD_INSTALL 102
#define MADV_GUARD_REMOVE  103
#endif
#ifndef MADV_POPULATE_READ /* Linux 5.14 */
#define MADV_POPULATE_READ 22
#endif

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
		mem->region[i] = plan[i];
		mem->region[i].host = backing_map(backing, plan[i].size);
		if (!mem->region[i].host) {
			const int r = -errno;

			guest_mem_destroy(mem);
			return r;
		}
		mem->nr_regions++;
	}
	mem->guards = !backing_is_pool(backing) && host_guards();
	return 0;
}

void guest_mem_destroy(struct guest_mem *mem)
{
	for (int i = 0; i < mem->nr_regions; i++)
		if (!mem->region[i].borrowed)
			munmap(mem->region[i].host, mem->region[i].size);
	mem->nr_regions = 0;
}

void guest_mem_borrow(struct guest_mem *mem, uint8_t *host, uint64_t size)
{
	BUG_ON(mem->nr_regions != 1 || ((uintptr_t)host | size) & (PAGE_2M - 1));
	mem->region[mem->nr_regions++] =
	    (struct mem_region){.base = maddr_init(GNOMON_RAM_HIGH_BASE), .size = size, .host = host, .borrowed = true};
	mem->size += size;
}

maddr_t guest_mem_end(const struct guest_mem *mem)
{
	const struct mem_region *last = &mem->region[mem->nr_regions - 1];

	return maddr_add(last->base, last->size);
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
	return backing_page(mem->backing);
}

/* Private memory without a file, zeroed. */
static int map_anonymous(const struct guest_mem *mem, void *p, uint64_t size)
{
	if (mmap(p, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0) ==
	    MAP_FAILED)
		return -errno;
	backing_advise(mem->backing, p, size);
	return 0;
}

/* Zeroed memory where some may be a file's, which DONTNEED would bring back. */
static int drop_mapped(struct guest_mem *mem, void *p, uint64_t size)
{
	if (cuts_take(&mem->cuts, CUTS_TO_DROP))
		return map_anonymous(mem, p, size);
	memset(p, 0, size);
	return 0;
}

int guest_mem_discard(struct guest_mem *mem, maddr_t at, uint64_t size)
{
	void *p = guest_mem_ptr(mem, at, size);

	if (!p || (maddr_raw(at) | size) & (guest_mem_host_page(mem) - 1))
		return -EINVAL;
	if (mem->mapped_file)
		return drop_mapped(mem, p, size);
	/* Private memory: what DONTNEED frees of a shared mapping stays in its file. */
	return madvise(p, size, MADV_DONTNEED) < 0 ? -errno : 0;
}

int guest_mem_clear(struct guest_mem *mem)
{
	int r = 0;

	for (int i = 0; r == 0 && i < mem->nr_regions; i++) {
		const struct mem_region *m = &mem->region[i];

		if (mem->mapped_file)
			r = map_anonymous(mem, m->host, m->size);
		else if (madvise(m->host, m->size, MADV_DONTNEED) < 0)
			memset(m->host, 0, m->size); /* hugetlb before Linux 5.18 */
	}
	if (r == 0)
		mem->mapped_file = false;
	return r;
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

int guest_mem_withdraw(struct guest_mem *mem, maddr_t at, uint64_t size)
{
	void *p = whole_pages(mem, at, size);

	if (!p)
		return -EINVAL;
	if (mem->mapped_file) { /* what comes back later is zeroed */
		const int r = drop_mapped(mem, p, size);

		if (r < 0)
			return r;
	}
	if (mem->guards)
		return madvise(p, size, MADV_GUARD_INSTALL) < 0 ? -errno : 0;
	/* The content first: then nothing is left that KVM must unmap a second time when the protection goes. */
	if (!backing_is_pool(mem->backing) && !mem->mapped_file && madvise(p, size, MADV_DONTNEED) < 0)
		return -errno;
	return mprotect(p, size, PROT_NONE) < 0 ? -errno : 0;
}

int guest_mem_surrender(struct guest_mem *mem, maddr_t at, uint64_t size)
{
	void *p = whole_pages(mem, at, size);

	if (!p)
		return -EINVAL;
	if (mem->guards || mem->mapped_file)
		return 0; /* when it was withdrawn */
	/* A discarded hugetlb page stays reserved for its mapping (HugePages_Rsvd): so the mapping goes. */
	if (backing_is_pool(mem->backing))
		return reserve_place(p, size);
	return guest_mem_discard(mem, at, size);
}

/* Mapped elsewhere and then moved: a MAP_FIXED that the pool cannot serve would leave a hole for others to map in. */
static int restore_pool(enum backing b, void *p, uint64_t size)
{
	void *fresh = backing_map(b, size);
	int r;

	if (!fresh)
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
	const uintptr_t first = round_up((uintptr_t)p, PAGE_2M);
	const uintptr_t end = ((uintptr_t)p + size) & ~(PAGE_2M - 1);

	if (first < end)
		(void)madvise((uint8_t *)p + (first - (uintptr_t)p), end - first, MADV_DONTNEED);
}

int guest_mem_restore(struct guest_mem *mem, maddr_t at, uint64_t size)
{
	void *p = whole_pages(mem, at, size);

	if (!p)
		return -EINVAL;
	if (backing_is_pool(mem->backing))
		return restore_pool(mem->backing, p, size);
	if (!mem->guards)
		return mprotect(p, size, PROT_READ | PROT_WRITE) < 0 ? -errno : 0;
	if (madvise(p, size, MADV_GUARD_REMOVE) < 0)
		return -errno;
	if (mem->mapped_file) /* below the guards a file's bytes may have come back */
		return drop_mapped(mem, p, size);
	if (mem->backing == BACKING_THP)
		make_room_for_huge(p, size);
	return 0;
}

int guest_mem_share(const struct guest_mem *mem, maddr_t at, uint64_t size, int fd, uint64_t offset)
{
	void *p = backing_is_pool(mem->backing) ? NULL : whole_pages(mem, at, size);

	if (!p)
		return -EINVAL;
	return mmap(p, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, (off_t)offset) == MAP_FAILED ? -errno
	                                                                                                      : 0;
}

int guest_mem_unshare(const struct guest_mem *mem, maddr_t at, uint64_t size)
{
	void *p = backing_is_pool(mem->backing) ? NULL : whole_pages(mem, at, size);

	if (!p)
		return -EINVAL;
	return map_anonymous(mem, p, size);
}

int guest_mem_map_file(struct guest_mem *mem, maddr_t at, uint64_t size, int fd, uint64_t offset)
{
	void *p = backing_is_pool(mem->backing) ? NULL : whole_pages(mem, at, size);

	if (!p)
		return -EINVAL;
	if (!cuts_take(&mem->cuts, CUTS_TO_MAP))
		return -ENOSPC;
	if (mmap(p, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_NORESERVE | MAP_FIXED, fd, (off_t)offset) ==
	    MAP_FAILED)
		return -errno;
	mem->mapped_file = true;
	return 0;
}

void guest_mem_populate(const struct guest_mem *mem, maddr_t at, uint64_t size)
{
	void *p = guest_mem_ptr(mem, at, size);

	if (p)
		(void)madvise(p, size, MADV_POPULATE_READ);
}

int guest_mem_advise_equal(struct guest_mem *mem, maddr_t at, uint64_t size)
{
	void *p = backing_is_pool(mem->backing) ? NULL : whole_pages(mem, at, size);

	if (!p)
		return -EINVAL;
	if (!cuts_take(&mem->cuts, CUTS_TO_MAP))
		return -ENOSPC;
	return madvise(p, size, MADV_MERGEABLE) < 0 ? -errno : 0;
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
