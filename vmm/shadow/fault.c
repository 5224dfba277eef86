/* SPDX-License-Identifier: MIT */
/*
 * The fault path: guest walk, then the second stage, then a path of shadow pages from
 * the root, then the leaf. Read it top down from shadow_fault().
 */
#include <gnomon/abi.h>

#include "shadow/internal.h"

/* A change that cannot be queued drops everything and starts again; twice in a row means it never fits. */
#define TRIES 4
/* Shadow pages on the way to one leaf, without the root. */
#define PATH 3

const char *const shadow_outcome_what[SHADOW_NR] = {
    [SHADOW_FILLED] = "the shadow entry is filled",
    [SHADOW_GUEST_FAULT] = "the guest's tables deny the access",
    [SHADOW_TRACKED_WRITE] = "a write to a write-protected guest table",
    [SHADOW_FETCH_ONLY] = "the kernel runs a page that SMAP forbids it to read",
    [SHADOW_MMIO] = "there is no memory at the guest physical address",
    [SHADOW_RESERVED_RANGE] = "an access to the range reserved for the stub",
    [SHADOW_TABLE_OUTSIDE] = "a guest table outside memory",
    [SHADOW_NO_MEMORY] = "the pool of shadow tables is too small",
};

static enum shadow_outcome of_walk(const struct walk *w)
{
	switch (w->outcome) {
	case WALK_OK:
		return SHADOW_FILLED;
	case WALK_TABLE_OUTSIDE:
		return SHADOW_TABLE_OUTSIDE;
	default:
		return SHADOW_GUEST_FAULT;
	}
}

/* The page below `page` on the way to `gva`. NULL: everything was dropped. */
static struct shadow_page *child_page(struct shadow *sh, struct counters *counters, const struct shadow_page *page,
                                      const struct walk *w, unsigned index)
{
	const int level = page->role.level;
	struct shadow_role role = page->role;

	if (page->role.direct) {
		role.level--;
		return shadow_page_get(sh, counters, gfn_init(page->gfn.raw + index * 512ull), role);
	}
	if (level == w->level)
		return shadow_page_get(sh, counters, gpa_to_gfn(gpte_leaf_gpa(w->gpte[level], level)),
		                       role_direct(role, w->gpte[level]));
	return shadow_page_get(sh, counters, gpa_to_gfn(gpte_gpa(w->gpte[level])), role_below(role, w->gpte[level]));
}

/* Leads the way through `child`. False: start again. */
static bool link_child(struct shadow *sh, struct counters *counters, struct shadow_page *page, unsigned index,
                       struct shadow_page *child)
{
	const spte_t way = compose_table(child);
	char text[512];

	if (page->spte[index].raw == way.raw)
		return true;
	if (!shadow_sync_below(sh, counters, child))
		return false;
	if (sh->audited && !shadow_audit_below(sh, child, text, sizeof(text)))
		bug(__FILE__, __LINE__, text);
	return shadow_set(sh, counters, page, index, way);
}

/* Now that the table is write-protected: does the entry still say what the walk saw? */
static bool entry_unchanged(const struct shadow *sh, const struct walk *w, int level)
{
	const gpa_t at = gpa_add(gfn_to_gpa(w->table[level]), w->index[level] * sizeof(uint64_t));
	const _Atomic uint64_t *p = stage2_ptr(sh->s2, at, sizeof(*p));

	return p && atomic_load(p) == w->gpte[level].raw;
}

/* Fills the other entries of a guest leaf table whose pages were accessed before. */
static void prefetch(struct shadow *sh, struct counters *counters, struct shadow_page *page)
{
	for (unsigned i = 0; i < 512; i++) {
		spte_t e;

		if (page->spte[i].raw || page->live[i])
			continue;
		e = shadow_recompose(sh, page, i, SHADOW_FORM_LEAF);
		if (!e.raw)
			continue;
		if (sh->prefetched++ % SHADOW_WATCH_EVERY == 0) {
			e.raw = (e.raw & ~PTE_A) | SPTE_WATCHED;
			counter_inc(counters, CTR_SHADOW_PREFETCHED_WATCHED);
		}
		BUG_ON(!shadow_set(sh, counters, page, i, e)); /* from nothing: never refused */
		counter_inc(counters, CTR_SHADOW_PREFETCHED);
	}
}

/* The leaf of the way, as large as both stages allow. False: start again. */
static bool fill_leaf(struct shadow *sh, struct counters *counters, struct shadow_page *page, unsigned index, spte_t e)
{
	page->writes = 0;
	if (!shadow_set(sh, counters, page, index, e))
		return false;
	counter_inc(counters, CTR_SHADOW_FILLS);
	if (page->role.level > 1)
		return true;
	if (sh->opts & SHADOW_OPT_PREFETCH)
		prefetch(sh, counters, page);
	return !(sh->opts & SHADOW_OPT_PROMOTE) || shadow_promote(sh, counters, page);
}

/* Links the path and sets the leaf. False: start again. */
static bool fill(struct shadow *sh, struct counters *counters, const struct shadow_view *view, gva_t gva,
                 const struct walk *w)
{
	struct shadow_page *page = shadow_page_get(sh, counters, gpa_to_gfn(view->walk.cr3), role_root(view));

	for (int level = 4; page && level > 1; level--) {
		const unsigned index = gva_index(gva, level);
		struct shadow_page *child;

		page->writes = 0;
		if (level >= w->level && !entry_unchanged(sh, w, level))
			return false;
		if (level == 2 && w->level >= 2 && sh->opts & SHADOW_OPT_LARGE) {
			const spte_t e = shadow_recompose(sh, page, index, SHADOW_FORM_LEAF);

			if (e.raw)
				return fill_leaf(sh, counters, page, index, e);
		}
		child = child_page(sh, counters, page, w, index);
		if (!child || !link_child(sh, counters, page, index, child))
			return false;
		page = child;
	}
	if (!page || (w->level == 1 && !entry_unchanged(sh, w, 1)))
		return false;
	return fill_leaf(sh, counters, page, gva_index(gva, 1),
	                 shadow_recompose(sh, page, gva_index(gva, 1), SHADOW_FORM_LEAF));
}

enum shadow_outcome shadow_fault(struct shadow *sh, struct counters *counters, const struct shadow_view *view,
                                 gva_t gva, struct walk_access access, struct walk *ret_walk)
{
	if (gva.raw >= GNOMON_RESERVED_BASE && gva.raw < GNOMON_RESERVED_END) {
		/* Whether there is something is the guest's affair; that nothing may be there is ours. */
		guest_walk(sh->s2, &view->walk, gva, access, false, ret_walk);
		return ret_walk->outcome == WALK_OK ? SHADOW_RESERVED_RANGE : of_walk(ret_walk);
	}
	if (sh->opts & SHADOW_OPT_AD_FAST && shadow_fault_fast(sh, counters, view, gva, access))
		return SHADOW_FILLED;
	for (int i = 0; i < TRIES; i++) {
		const gfn_t none = {0};
		gfn_t gfn = none;

		guest_walk(sh->s2, &view->walk, gva, access, true, ret_walk);
		if (ret_walk->outcome != WALK_OK)
			return of_walk(ret_walk);
		gfn = gpa_to_gfn(ret_walk->gpa);
		if (!shadow_frame_mapped(sh, gfn))
			return SHADOW_MMIO;
		if (access.write && shadow_is_tracked(sh, gfn) && !shadow_unsync(sh, counters, gfn))
			return SHADOW_TRACKED_WRITE;
		/* An entry that the CPU can fetch through, it can also read through. */
		if (access.fetch && !access.user && ret_walk->u && view->walk.smap && !view->ac)
			return SHADOW_FETCH_ONLY;
		if (shadow_pool_reserve(sh, counters, SHADOW_AREA_TABLES, PATH) &&
		    fill(sh, counters, view, gva, ret_walk))
			return SHADOW_FILLED;
	}
	return SHADOW_NO_MEMORY;
}

bool shadow_root(struct shadow *sh, struct counters *counters, const struct shadow_view *view, maddr_t *ret_root,
                 bool *ret_built)
{
	const gfn_t gfn = gpa_to_gfn(view->walk.cr3);
	const struct shadow_role role = role_root(view);
	struct shadow_page *page = shadow_page_find(sh, gfn, role);

	*ret_built = !page;
	for (int i = 0; !page && i < TRIES; i++)
		page = shadow_page_get(sh, counters, gfn, role);
	if (page)
		*ret_root = page->table;
	return page;
}

bool shadow_find_root(const struct shadow *sh, const struct shadow_view *view, maddr_t *ret_root)
{
	const struct shadow_page *page = shadow_page_find(sh, gpa_to_gfn(view->walk.cr3), role_root(view));

	if (page)
		*ret_root = page->table;
	return page;
}
