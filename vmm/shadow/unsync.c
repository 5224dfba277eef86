/* SPDX-License-Identifier: MIT */
/*
 * Unsync leaf tables. The guest may write them unseen; what it wrote takes effect when it flushes, as on a real
 * CPU (APM2 5.5.2, SDM vol. 3 4.10.4): at each CR3 load, INVLPG or change of mode every unsync table is
 * compared with its shadow. One that did not change since the last flush is protected again.
 */
#include "shadow/internal.h"

/* With more changes than this the shadow page is zapped: it costs one edit, and the next fault fills it anew. */
#define EDITS_AT_MOST 16

static struct shadow_track *track_of(const struct shadow *sh, gfn_t gfn)
{
	return &sh->track[shadow_frame(sh, gfn)];
}

bool shadow_unsync(struct shadow *sh, struct counters *counters, gfn_t gfn)
{
	if (!(sh->opts & SHADOW_OPT_UNSYNC) || sh->nr_unsync == SHADOW_UNSYNC_MAX)
		return false;
	for (const struct shadow_page *p = shadow_page_first(sh, gfn); p; p = shadow_page_next(p))
		if (p->role.level != 1)
			return false;
	track_of(sh, gfn)->unsync = true;
	sh->unsync[sh->nr_unsync++] = gfn;
	counter_inc(counters, CTR_SHADOW_UNSYNCS);
	return true;
}

void shadow_unsync_forget(struct shadow *sh, gfn_t gfn)
{
	unsigned i = 0;

	while (sh->unsync[i].raw != gfn.raw)
		i++;
	BUG_ON(i >= sh->nr_unsync);
	sh->unsync[i] = sh->unsync[--sh->nr_unsync];
	track_of(sh, gfn)->unsync = false;
}

/* How many entries do not stand, counted up to one more than EDITS_AT_MOST. */
static unsigned count_changed(const struct shadow *sh, const struct shadow_page *page)
{
	unsigned n = 0;
	spte_t must;

	for (unsigned i = 0; i < 512 && n <= EDITS_AT_MOST; i++)
		n += !shadow_entry_stands(sh, page, i, &must);
	return n;
}

/* Brings one page up to date. False: it is gone, with or without everything else. */
static bool sync_page(struct shadow *sh, struct counters *counters, struct shadow_page *page, unsigned *changed)
{
	const unsigned here = count_changed(sh, page);
	spte_t must;

	*changed += here;
	if (here > EDITS_AT_MOST) { /* before any of them is queued in vain */
		(void)shadow_page_zap(sh, counters, page);
		return false;
	}
	for (unsigned i = 0; here && i < 512; i++)
		if (!shadow_entry_stands(sh, page, i, &must) && !shadow_set(sh, counters, page, i, must))
			return false;
	return true;
}

/* Returns how many entries changed. */
static unsigned sync_table(struct shadow *sh, struct counters *counters, gfn_t gfn)
{
	struct shadow_page *p = shadow_page_first(sh, gfn);
	unsigned changed = 0;

	counter_inc(counters, CTR_SHADOW_SYNCS);
	while (p)
		p = sync_page(sh, counters, p, &changed) ? shadow_page_next(p) : shadow_page_first(sh, gfn);
	return changed;
}

static bool is_below(const struct shadow_page *page, const struct shadow_page *top)
{
	if (page == top)
		return true;
	if (page->role.level >= top->role.level)
		return false;
	for (const struct shadow_ref *ref = page->parents; ref; ref = ref->next)
		if (is_below(ref->page, top))
			return true;
	return false;
}

bool shadow_sync_below(struct shadow *sh, struct counters *counters, const struct shadow_page *top)
{
	const uint64_t generation = sh->generation;
	unsigned changed;

	/* Going down, as in shadow_sync_all(). */
	for (unsigned i = sh->nr_unsync; top->present && i-- > 0;) {
		const gfn_t gfn = sh->unsync[i];
		struct shadow_page *p = shadow_page_first(sh, gfn);

		while (p) {
			const bool is_top = p == top;

			if (!is_below(p, top) || sync_page(sh, counters, p, &changed)) {
				p = shadow_page_next(p);
				continue;
			}
			if (is_top || sh->generation != generation)
				return false;
			p = shadow_page_first(sh, gfn);
		}
	}
	return true;
}

bool shadow_unsync_end(struct shadow *sh, struct counters *counters, gfn_t gfn)
{
	shadow_unsync_forget(sh, gfn);
	if (!shadow_write_protect(sh, counters, gfn))
		return false;
	sync_table(sh, counters, gfn); /* what was written up to the protection */
	return true;
}

void shadow_sync_all(struct shadow *sh, struct counters *counters)
{
	const uint64_t generation = sh->generation;

	for (unsigned i = sh->nr_unsync; i-- > 0;) {
		const gfn_t gfn = sh->unsync[i];

		/* Going down, what takes a forgotten one's place was synchronised already. */
		if (!sync_table(sh, counters, gfn) && !shadow_unsync_end(sh, counters, gfn))
			return;
		if (sh->generation != generation)
			return;
	}
}
