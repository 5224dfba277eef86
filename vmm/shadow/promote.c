/* SPDX-License-Identifier: MIT */
/* 2 MiB out of 4 KiB: a full leaf page of contiguous, like entries stands in its parents as one leaf. */
#include "shadow/internal.h"

/* Same rights, next frame. */
static bool is_uniform(const struct shadow_page *page)
{
	const uint64_t mine = SPTE_WATCHED | PTE_A;

	for (unsigned i = 1; i < 512; i++)
		if ((page->spte[i].raw & ~mine) != (page->spte[0].raw & ~mine) + i * PAGE_SIZE)
			return false;
	return true;
}

/* The 2 MiB of guest memory that the page maps in whole: only where the second stage has one leaf for it, too. */
static bool both_stages_allow(const struct shadow *sh, const struct shadow_page *page)
{
	const _Atomic uint64_t *first = stage2_ptr(sh->s2, gfn_to_gpa(page->gfn), sizeof(*first));

	return first && spte_mfn(page->spte[0]).raw % 512 == 0 &&
	       compose_allows_2m(sh, gpa_to_gfn(gpte_gpa((gpte_t){atomic_load(first)})));
}

enum shadow_result shadow_promote(struct shadow *sh, struct counters *counters, struct shadow_page *page)
{
	if (page->promoted || page->role.direct || page->present < 512 || !is_uniform(page) ||
	    !both_stages_allow(sh, page))
		return SHADOW_DONE;
	page->promoted = true;
	counter_inc(counters, CTR_SHADOW_PROMOTIONS);
	return shadow_store_parents(sh, counters, page);
}
