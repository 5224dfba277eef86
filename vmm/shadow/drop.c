/* SPDX-License-Identifier: MIT */
/* The end of all shadow pages at once, which puts right what could not be changed otherwise. */
#include <string.h>

#include "shadow/internal.h"

/* Forgets every shadow page. */
static void drop_all(struct shadow *sh, struct counters *counters)
{
	shadow_quiesce(sh, counters);
	counter_inc(counters, CTR_SHADOW_DROPS);
	while (sh->oldest) {
		const struct shadow_page *page = sh->oldest;

		shadow_page_forget(sh, counters, sh->oldest);
		shadow_pool_give(sh, page, false);
	}
	BUG_ON(sh->nr_unsync);
	sh->nr_edits = 0;
	shadow_pool_rest(sh);
	sh->flushes++;
}

int shadow_recycle(struct shadow *sh, struct counters *counters)
{
	int r;

	drop_all(sh, counters);
	counter_inc(counters, CTR_SHADOW_RECYCLES);
	for (int i = 0; i < SHADOW_AREAS; i++) {
		struct shadow_area *area = &sh->area[i];

		memset(sh->pool + (size_t)area->first * PAGE_SIZE, 0,
		       (size_t)(area->next_fresh - area->first) * PAGE_SIZE);
	}
	r = sh->ops->recycle_pool(sh->ctx);
	if (r < 0)
		return r;
	for (int i = 0; i < SHADOW_AREAS; i++)
		sh->area[i].next_fresh = sh->area[i].first;
	return 0;
}

void shadow_recover(struct shadow *sh, struct counters *counters, enum shadow_result r)
{
	if (r == SHADOW_MUST_DROP)
		drop_all(sh, counters);
	/* If the host refuses, no frame is to be had, and the guest ends with SHADOW_NO_MEMORY. */
	if (r == SHADOW_MUST_RECYCLE)
		(void)!shadow_recycle(sh, counters);
}
