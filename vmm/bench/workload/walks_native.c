/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <gnomon/addr.h>

#include "../guest/chase_core.h"
#include "bench/workload/walks.h"
#include "mem/host_page.h"

#define PAGES (8 * 512) /* as guest/cost/walks.c */
#define BYTES (PAGES * CHASE_PAGE)

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
	uint8_t *arena = backing_map(n->backing, n->backing == BACKING_HUGETLB1G ? PAGE_1G : BYTES);
	void **ring;

	if (!arena) {
		log_errno(errno, "no memory of %s pages", backing_name(n->backing));
		return 1;
	}
	for (uint64_t i = 0; i < BYTES; i += CHASE_PAGE)
		arena[i] = 1;
	if (n->backing == BACKING_THP && !is_huge(arena)) {
		log_error("the host does not give all of it in 2 MiB pages (see THP in `gnomon host`)");
		return 1;
	}
	ring = chase_walk(chase_build(arena, PAGES, CHASE_SPARSE, 1), PAGES);
	walk_start(arena, BYTES);
	chase_walk(ring, n->loads);
	walk_stop();
	return 0;
}
