/* SPDX-License-Identifier: MIT */
/* The second stage below has changed: memory was taken away, or is in one 2 MiB leaf again. */
#include "shadow/internal.h"

static enum shadow_result zap_list(struct shadow *sh, struct counters *counters, struct shadow_ref **list)
{
	enum shadow_result r = SHADOW_DONE;

	while (r == SHADOW_DONE && *list)
		r = shadow_set(sh, counters, (*list)->page, (*list)->index, (spte_t){0});
	return r;
}

/* Some of the 2 MiB around this frame are guest tables with a shadow. */
static bool has_tables_around(const struct shadow *sh, gfn_t gfn)
{
	const int64_t n = shadow_frame(sh, gfn);

	BUG_ON(n < 0);
	return sh->tables_2m[n / 512];
}

static enum shadow_result zap_frame(struct shadow *sh, struct counters *counters, gfn_t gfn, mfn_t mfn)
{
	const int64_t n = shadow_machine_frame(sh, mfn);
	enum shadow_result r;

	BUG_ON(n < 0);
	r = zap_list(sh, counters, &sh->rmap_2m[n / 512]);
	if (r == SHADOW_DONE)
		r = zap_list(sh, counters, &sh->rmap[n]);
	if (r == SHADOW_DONE && has_tables_around(sh, gfn))
		r = shadow_zap_table(sh, counters, gfn);
	return r;
}

void shadow_zap_gpa(struct shadow *sh, struct counters *counters, gpa_t gpa, maddr_t maddr, uint64_t size)
{
	enum shadow_result r = SHADOW_DONE;

	shadow_quiesce(sh, counters);
	/* An entry that went earlier may still be in the TLB of a vCPU that did not leave the guest since. */
	sh->flushes++;
	for (uint64_t off = 0; r == SHADOW_DONE && off < size; off += PAGE_SIZE)
		r = zap_frame(sh, counters, gpa_to_gfn(gpa_add(gpa, off)), maddr_to_mfn(maddr_add(maddr, off)));
	shadow_recover(sh, counters, r);
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
