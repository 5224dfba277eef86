/* SPDX-License-Identifier: MIT */
/* The end of guest memory that the second stage took away. */
#include "shadow/internal.h"

static bool zap_list(struct shadow *sh, struct counters *counters, struct shadow_ref **list)
{
	while (*list)
		if (!shadow_set(sh, counters, (*list)->page, (*list)->index, (spte_t){0}))
			return false;
	return true;
}

static bool zap_tables(struct shadow *sh, struct counters *counters, gfn_t gfn)
{
	struct shadow_page *page;

	while ((page = shadow_page_first(sh, gfn)))
		if (!shadow_page_zap(sh, counters, page))
			return false;
	return true;
}

/* Some of the 2 MiB around this frame are guest tables with a shadow. */
static bool has_tables_around(const struct shadow *sh, gfn_t gfn)
{
	const int64_t n = shadow_frame(sh, gfn);

	BUG_ON(n < 0);
	return sh->tables_2m[n / 512];
}

bool shadow_zap_gpa(struct shadow *sh, struct counters *counters, gpa_t gpa, maddr_t maddr, uint64_t size)
{
	shadow_quiesce(sh, counters);
	sh->flushes++; /* an entry that went earlier may still be in the TLB of a vCPU that did not leave the guest
	                  since */
	for (uint64_t off = 0; off < size; off += PAGE_SIZE) {
		const gfn_t gfn = gpa_to_gfn(gpa_add(gpa, off));
		const int64_t n = shadow_machine_frame(sh, maddr_to_mfn(maddr_add(maddr, off)));

		BUG_ON(n < 0);
		if (!zap_list(sh, counters, &sh->rmap_2m[n / 512]) || !zap_list(sh, counters, &sh->rmap[n]) ||
		    (has_tables_around(sh, gfn) && !zap_tables(sh, counters, gfn)))
			return false;
	}
	return true;
}
