/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <gnomon/addr.h>
#include <sys/mman.h>

#include "../guest/chase_core.h"
#include "bench/walks.h"
#include "mem/host_page.h"

#ifndef MAP_HUGE_2MB
#define MAP_HUGE_2MB (21 << 26)
#endif
#ifndef MAP_HUGE_1GB
#define MAP_HUGE_1GB (30 << 26)
#endif

#define PAGES (8 * 512) /* as guest/cost/walks.c */
#define BYTES (PAGES * CHASE_PAGE)

/* At a multiple of its page size. NULL, said. */
static uint8_t *map(enum walks_backing backing)
{
	const bool pool = backing >= WALKS_BACKING_2M;
	const uint64_t size = backing == WALKS_BACKING_1G ? PAGE_1G : BYTES + (pool ? 0 : PAGE_2M);
	const int flags = !pool                         ? 0
	                  : backing == WALKS_BACKING_2M ? MAP_HUGETLB | MAP_HUGE_2MB
	                                                : MAP_HUGETLB | MAP_HUGE_1GB;
	uint8_t *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0);

	if (p == MAP_FAILED) {
		log_errno(errno, "no memory of %s pages", walks_backing_name[backing]);
		return NULL;
	}
	if (pool)
		return p;
	p += -(uintptr_t)p & (PAGE_2M - 1);
	/* A kernel without huge pages refuses both: then there are none, which is looked at below. */
	madvise(p, BYTES, backing == WALKS_BACKING_THP ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
	return p;
}

static bool is_huge(const uint8_t *arena)
{
	uint8_t page[BYTES / PAGE_2M];

	host_page_find(arena, BYTES, page);
	for (size_t i = 0; i < sizeof(page); i++)
		if (page[i] != HOST_PAGE_HUGE)
			return false;
	return true;
}

int walks_native(const void *native)
{
	const struct walks_native *n = native;
	uint8_t *arena = map(n->backing);
	void **ring;

	if (!arena)
		return 1;
	for (uint64_t i = 0; i < BYTES; i += CHASE_PAGE)
		arena[i] = 1;
	if (n->backing == WALKS_BACKING_THP && !is_huge(arena)) {
		log_error("the host does not give all of it in 2 MiB pages (see THP in `gnomon host`)");
		return 1;
	}
	ring = chase_walk(chase_build(arena, PAGES, CHASE_SPARSE, 1), PAGES);
	walk_start(arena, BYTES);
	chase_walk(ring, n->loads);
	walk_stop();
	return 0;
}
