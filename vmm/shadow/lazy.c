/* SPDX-License-Identifier: MIT */
/*
 * Lazy shadow paging: no guest table is protected. The guest writes all of them unseen, at any level, and what it wrote
 * takes effect when it flushes, as on a real CPU (APM2 5.5.2, SDM vol. 3 4.10.4). At each CR3 load, INVLPG or change of
 * mode every table that CR3 leads to is compared with its shadow. Those of other address spaces wait for the CR3 load
 * that needs them.
 */
#include "shadow/internal.h"

/*
 * Brings `page` and every page below it up to date, each once a round: there may be 512 ways to one. SHADOW_RETRY: `page`
 * is gone. Levels fall on the way down, so tables in circles end.
 */
static enum shadow_result sync_tree(struct shadow *sh, struct counters *counters, struct shadow_page *page)
{
	enum shadow_result r = SHADOW_DONE;
	unsigned changed = 0;

	if (page->role.direct || page->synced == sh->sync_round)
		return SHADOW_DONE;
	page->synced = sh->sync_round;
	counter_inc(counters, CTR_SHADOW_SYNCS);
	r = shadow_sync_page(sh, counters, page, &changed);
	for (unsigned i = 0; r == SHADOW_DONE && page->role.level > 1 && i < 512; i++) {
		const spte_t e = page->spte[i];

		if (e.raw & PTE_P && !spte_is_leaf(page, e))
			r = sync_tree(sh, counters, shadow_child(sh, e));
		if (r == SHADOW_RETRY) /* the child is gone, and the way to it */
			r = SHADOW_DONE;
	}
	return r;
}

enum shadow_result shadow_lazy_sync_root(struct shadow *sh, struct counters *counters, gfn_t cr3)
{
	struct shadow_page *p = shadow_page_first(sh, cr3);

	sh->sync_round++;
	while (p) {
		const enum shadow_result r = p->role.level == 4 ? sync_tree(sh, counters, p) : SHADOW_DONE;

		if (r != SHADOW_DONE && r != SHADOW_RETRY)
			return r;
		p = r == SHADOW_DONE ? shadow_page_next(p) : shadow_page_first(sh, cr3);
	}
	for (p = shadow_page_first(sh, cr3); p; p = shadow_page_next(p))
		if (p->role.level == 4)
			shadow_audit_below(sh, p);
	return SHADOW_DONE;
}

enum shadow_result shadow_lazy_sync_below(struct shadow *sh, struct counters *counters, struct shadow_page *top)
{
	sh->sync_round++;
	return sync_tree(sh, counters, top);
}
