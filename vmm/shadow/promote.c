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

	return first && compose_mfn(page->spte[0]).raw % 512 == 0 &&
	       compose_allows_2m(sh, gpa_to_gfn(gpte_gpa((gpte_t){atomic_load(first)})));
}

static enum shadow_result store_parents(struct shadow *sh, struct counters *counters, struct shadow_page *page)
{
	enum shadow_result r = SHADOW_DONE;

	for (const struct shadow_ref *ref = page->parents; r == SHADOW_DONE && ref; ref = ref->next)
		r = shadow_store(sh, counters, ref->page, ref->index, true);
	return r;
}

enum shadow_result shadow_promote(struct shadow *sh, struct counters *counters, struct shadow_page *page)
{
	if (page->promoted || page->role.direct || page->present < 512 || !is_uniform(page) ||
	    !both_stages_allow(sh, page))
		return SHADOW_DONE;
	page->promoted = true;
	counter_inc(counters, CTR_SHADOW_PROMOTIONS);
	return store_parents(sh, counters, page);
}

void shadow_join_gpa(struct shadow *sh, struct counters *counters, gpa_t gpa)
{
	const gfn_t gfn = gpa_to_gfn(gpa);
	struct shadow_page *page = shadow_page_direct(sh, gfn);
	enum shadow_result r = SHADOW_DONE;

	if (!page || !(sh->opts & SHADOW_OPT_LARGE) || !compose_allows_2m(sh, gfn))
		return;
	shadow_quiesce(sh, counters);
	for (; r == SHADOW_DONE && page; page = shadow_page_direct(sh, gfn)) {
		counter_inc(counters, CTR_SHADOW_JOINS);
		r = shadow_page_zap(sh, counters, page);
	}
	shadow_recover(sh, counters, r);
}

enum shadow_result shadow_demote(struct shadow *sh, struct counters *counters, struct shadow_page *page)
{
	page->promoted = false;
	counter_inc(counters, CTR_SHADOW_DEMOTIONS);
	return store_parents(sh, counters, page);
}
