/* SPDX-License-Identifier: MIT */
/*
 * Unsync leaf tables. The guest may write them unseen; what it wrote takes effect when it flushes, as on a real
 * CPU (APM2 5.5.2, SDM vol. 3 4.10.4): at each CR3 load, INVLPG or change of mode every unsync table is
 * compared with its shadow. One that did not change since the last flush is protected again.
 *
 * A kernel flushes often, and changes few entries. So a table is compared with what it was at the last flush first, and
 * only entries that differ from that, or whose shadow was set since, are composed anew.
 */
#include "shadow/internal.h"

/* With more changes than this the shadow page is zapped: it costs one edit, and the next fault fills it anew. */
#define EDITS_AT_MOST 16

/* The guest's table. NULL: it has no memory any more. */
static const _Atomic uint64_t *table_of(const struct shadow *sh, gfn_t gfn)
{
	return stage2_ptr(sh->s2, gfn_to_gpa(gfn), PAGE_SIZE);
}

/* Protected as it still is, the table is what its shadow was made from. */
static bool begin(struct shadow *sh, gfn_t gfn)
{
	struct shadow_unsync *u = sh->unsync[sh->nr_unsync];
	const _Atomic uint64_t *table = table_of(sh, gfn);

	if (!table)
		return false;
	u->gfn = gfn;
	for (unsigned i = 0; i < 512; i++) {
		u->seen[i] = atomic_load(&table[i]);
		u->was_set[i] = false;
	}
	sh->nr_unsync++;
	return true;
}

bool shadow_unsync(struct shadow *sh, struct counters *counters, gfn_t gfn)
{
	if (!(sh->opts & SHADOW_OPT_UNSYNC) || sh->nr_unsync == SHADOW_UNSYNC_MAX)
		return false;
	for (const struct shadow_page *p = shadow_page_first(sh, gfn); p; p = shadow_page_next(p))
		if (p->role.level != 1)
			return false;
	if (!begin(sh, gfn))
		return false;
	shadow_track_of(sh, gfn)->unsync = true;
	counter_inc(counters, CTR_SHADOW_UNSYNCS);
	return true;
}

/* Indexes of entries whose shadow may not stand. */
struct suspects {
	unsigned n;
	uint16_t index[512];
};

static void suspect_all(struct suspects *ret)
{
	for (ret->n = 0; ret->n < 512; ret->n++)
		ret->index[ret->n] = ret->n;
}

/* What changed since the last flush. Each entry is noted as seen before anybody composes from it. */
static void suspect_changed(const struct shadow *sh, struct shadow_unsync *u, struct suspects *ret)
{
	const _Atomic uint64_t *table = table_of(sh, u->gfn);

	ret->n = 0;
	for (unsigned i = 0; i < 512; i++) {
		const uint64_t now = table ? atomic_load(&table[i]) : 0;

		if (now == u->seen[i] && !u->was_set[i])
			continue;
		u->seen[i] = now;
		u->was_set[i] = false;
		ret->index[ret->n++] = i;
	}
}

/* How many of them do not stand, counted up to one more than EDITS_AT_MOST. */
static unsigned count_changed(const struct shadow *sh, const struct shadow_page *page, const struct suspects *s)
{
	unsigned n = 0;
	spte_t must;

	for (unsigned i = 0; i < s->n && n <= EDITS_AT_MOST; i++)
		n += !shadow_entry_stands(sh, page, s->index[i], &must);
	return n;
}

enum shadow_result shadow_update_entry(struct shadow *sh, struct counters *counters, struct shadow_page *page,
                                       unsigned index)
{
	spte_t must;

	if (shadow_entry_stands(sh, page, index, &must))
		return SHADOW_DONE;
	return shadow_set(sh, counters, page, index, page->role.level == 1 ? must : (spte_t){0});
}

/* As shadow_sync_page(), for these entries. */
static enum shadow_result sync_entries(struct shadow *sh, struct counters *counters, struct shadow_page *page,
                                       const struct suspects *s, unsigned *changed)
{
	const unsigned here = count_changed(sh, page, s);
	enum shadow_result r = SHADOW_DONE;

	*changed += here;
	if (here > EDITS_AT_MOST) { /* before any of them is queued in vain */
		r = shadow_page_zap(sh, counters, page);
		return r == SHADOW_DONE ? SHADOW_RETRY : r;
	}
	for (unsigned i = 0; r == SHADOW_DONE && here && i < s->n; i++)
		r = shadow_update_entry(sh, counters, page, s->index[i]);
	return r;
}

enum shadow_result shadow_sync_page(struct shadow *sh, struct counters *counters, struct shadow_page *page,
                                    unsigned *changed)
{
	struct suspects all;

	suspect_all(&all);
	return sync_entries(sh, counters, page, &all, changed);
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

/* Brings these entries up to date in all pages of the table, or in those that `top` leads to. SHADOW_RETRY: `top` is gone. */
static enum shadow_result sync_pages(struct shadow *sh, struct counters *counters, gfn_t gfn,
                                     const struct shadow_page *top, const struct suspects *s, unsigned *changed)
{
	struct shadow_page *p = shadow_page_first(sh, gfn);

	while (p) {
		const bool is_top = p == top;
		const enum shadow_result r =
		    !top || is_below(p, top) ? sync_entries(sh, counters, p, s, changed) : SHADOW_DONE;

		if (r != SHADOW_DONE && (r != SHADOW_RETRY || is_top))
			return r;
		p = r == SHADOW_DONE ? shadow_page_next(p) : shadow_page_first(sh, gfn);
	}
	return SHADOW_DONE;
}

/* Brings every page of a table that is, or was, unsync up to date, and adds to *changed. */
static enum shadow_result sync_table(struct shadow *sh, struct counters *counters, struct shadow_unsync *u,
                                     unsigned *changed)
{
	struct suspects suspects;
	enum shadow_result r;

	counter_inc(counters, CTR_SHADOW_SYNCS);
	suspect_changed(sh, u, &suspects);
	r = sync_pages(sh, counters, u->gfn, NULL, &suspects, changed);
	if (r != SHADOW_DONE)
		return r;
	for (struct shadow_page *p = shadow_page_first(sh, u->gfn); p; p = shadow_page_next(p))
		shadow_audit_below(sh, p);
	return SHADOW_DONE;
}

enum shadow_result shadow_sync_below(struct shadow *sh, struct counters *counters, const struct shadow_page *top)
{
	enum shadow_result r = SHADOW_DONE;
	struct suspects all;
	unsigned changed = 0;

	suspect_all(&all);
	/* Going down, as in shadow_sync_all(). */
	for (unsigned i = sh->nr_unsync; r == SHADOW_DONE && top->present && i-- > 0;)
		r = sync_pages(sh, counters, sh->unsync[i]->gfn, top, &all, &changed);
	return r;
}

static enum shadow_result sync_way(struct shadow *sh, struct counters *counters, struct shadow_page *page, gva_t gva)
{
	enum shadow_result r = SHADOW_DONE;

	while (r == SHADOW_DONE && page) {
		const unsigned index = gva_index(gva, page->role.level);
		spte_t e;

		r = shadow_update_entry(sh, counters, page, index);
		e = page->spte[index];
		page = e.raw & PTE_P && !spte_is_leaf(page, e) ? shadow_child(sh, e) : NULL;
	}
	return r;
}

enum shadow_result shadow_sync_address(struct shadow *sh, struct counters *counters, gfn_t cr3, gva_t gva)
{
	enum shadow_result r = SHADOW_DONE;

	if (!sh->nr_unsync && !(sh->opts & SHADOW_OPT_LAZY))
		return SHADOW_DONE;
	for (struct shadow_page *p = shadow_page_first(sh, cr3); r == SHADOW_DONE && p; p = shadow_page_next(p))
		if (p->role.level == 4)
			r = sync_way(sh, counters, p, gva);
	return r;
}

enum shadow_result shadow_unsync_end(struct shadow *sh, struct counters *counters, gfn_t gfn)
{
	enum shadow_result r;
	unsigned changed = 0;

	shadow_unsync_forget(sh, gfn);
	r = shadow_write_protect(sh, counters, gfn);
	/* What was written up to the protection. */
	return r == SHADOW_DONE ? sync_table(sh, counters, sh->unsync[sh->nr_unsync], &changed) : r;
}

enum shadow_result shadow_sync_all(struct shadow *sh, struct counters *counters)
{
	enum shadow_result r = SHADOW_DONE;

	/* Going down, what takes a forgotten one's place was synchronised already. */
	for (unsigned i = sh->nr_unsync; r == SHADOW_DONE && i-- > 0;) {
		struct shadow_unsync *u = sh->unsync[i];
		unsigned changed = 0;

		r = sync_table(sh, counters, u, &changed);
		if (r == SHADOW_DONE && !changed)
			r = shadow_unsync_end(sh, counters, u->gfn);
	}
	return r;
}
