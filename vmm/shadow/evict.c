/* SPDX-License-Identifier: MIT */
/* Room for new pages: the oldest go. */
#include "shadow/internal.h"

/* Zaps the oldest pages of this kind: no other vCPU is in the guest. */
static enum shadow_result evict(struct shadow *sh, struct counters *counters, enum shadow_area_kind kind, unsigned nr)
{
	enum shadow_result r;

	for (struct shadow_page *p = sh->oldest, *newer; p && nr; p = newer) {
		newer = p->newer;
		if (shadow_pool_kind(p) != kind)
			continue;
		r = shadow_page_zap(sh, counters, p);
		if (r != SHADOW_DONE)
			return r;
		counter_inc(counters, CTR_SHADOW_EVICTIONS);
		nr--;
	}
	return SHADOW_DONE;
}

enum shadow_result shadow_pool_reserve(struct shadow *sh, struct counters *counters, enum shadow_area_kind kind,
                                       unsigned nr)
{
	const struct shadow_area *area = &sh->area[kind];
	const unsigned size = area->end - area->first;
	enum shadow_result r = SHADOW_DONE;

	if (shadow_pool_fresh(sh, kind) >= nr)
		return SHADOW_DONE;
	/* When most frames are resting, there is little to lose and much to win. */
	if (!(sh->opts & SHADOW_OPT_EMULATE_UPDATE) || (area->in_use + area->nr_used) * 2 < size)
		return SHADOW_MUST_RECYCLE;
	/* A CPU may still walk a used frame by what its TLB remembers: before it is given away, everybody flushes. */
	shadow_quiesce(sh, counters);
	sh->flushes++;
	if (shadow_pool_fresh(sh, kind) + area->nr_used < nr)
		r = evict(sh, counters, kind, size / 32 + nr);
	if (r != SHADOW_DONE)
		return r;
	return shadow_pool_fresh(sh, kind) + area->nr_used >= nr ? SHADOW_DONE : SHADOW_RETRY;
}
