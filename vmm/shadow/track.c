/* SPDX-License-Identifier: MIT */
/* What the shadow does when the guest writes its tables, and when it flushes its TLB. */
#include "shadow/internal.h"

/* Written so often without a fault through it, a page is no table any more. */
#define FLOOD 4

/* Forgets every shadow page of a table that floods. True: there is nothing left to bring up to date. */
static bool flooded(struct shadow *sh, struct counters *counters, gfn_t gfn)
{
	struct shadow_page *p = shadow_page_first(sh, gfn);

	if (!(sh->opts & SHADOW_OPT_FLOOD) || !p || ++p->writes < FLOOD)
		return false;
	counter_inc(counters, CTR_SHADOW_FLOODS);
	while (p && shadow_page_zap(sh, counters, p))
		p = shadow_page_first(sh, gfn);
	return true;
}

void shadow_written(struct shadow *sh, struct counters *counters, gpa_t at, unsigned len)
{
	const gfn_t gfn = gpa_to_gfn(at);
	const unsigned first = page_offset(at.raw) / 8, last = (page_offset(at.raw) + len - 1) / 8;
	const int64_t frame = shadow_frame(sh, gfn);
	uint64_t generation = sh->generation;

	if (frame < 0 || !sh->track[frame].pages)
		return;
	counter_inc(counters, CTR_SHADOW_TABLE_WRITES);
	if (!(sh->opts & SHADOW_OPT_EMULATE_UPDATE)) {
		shadow_drop_all(sh, counters);
		return;
	}
	if (flooded(sh, counters, gfn))
		return;
	for (struct shadow_page *p = shadow_page_first(sh, gfn); p; p = shadow_page_next(p)) {
		for (unsigned i = first; i <= last; i++) {
			spte_t must;

			/* What is absent, the fault path fills; a way to another child, too. */
			if (shadow_entry_stands(sh, p, i, &must))
				continue;
			if (!shadow_set(sh, counters, p, i, p->role.level == 1 ? must : (spte_t){0}) ||
			    sh->generation != generation)
				return; /* dropped: nothing is left to bring up to date */
		}
	}
}

void shadow_flushed(struct shadow *sh, struct counters *counters)
{
	if (!(sh->opts & SHADOW_OPT_ROOT_CACHE))
		shadow_drop_all(sh, counters);
	shadow_sync_all(sh, counters);
}
