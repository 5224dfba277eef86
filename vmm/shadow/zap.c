/* SPDX-License-Identifier: MIT */
/* The end of shadow pages, one at a time. */
#include "shadow/internal.h"

void shadow_page_forget(struct shadow *sh, struct counters *counters, struct shadow_page *page)
{
	for (unsigned i = 0; i < 512 && page->present; i++)
		shadow_unlink(sh, counters, page, i);
	if (!page->role.direct)
		shadow_untrack(sh, page->gfn);
	shadow_cache_remove(sh, counters, page);
}

enum shadow_result shadow_page_zap(struct shadow *sh, struct counters *counters, struct shadow_page *page)
{
	while (page->parents) {
		const struct shadow_ref *ref = page->parents;
		const enum shadow_result r = shadow_set(sh, counters, ref->page, ref->index, (spte_t){0});

		if (r != SHADOW_DONE)
			return r;
	}
	shadow_page_forget(sh, counters, page);
	shadow_pool_give(sh, page, true);
	sh->flushes++; /* a CPU may still walk it, as root for one */
	return SHADOW_DONE;
}

enum shadow_result shadow_zap_table(struct shadow *sh, struct counters *counters, gfn_t gfn)
{
	enum shadow_result r = SHADOW_DONE;
	struct shadow_page *page;

	while (r == SHADOW_DONE && (page = shadow_page_first(sh, gfn)))
		r = shadow_page_zap(sh, counters, page);
	return r;
}
