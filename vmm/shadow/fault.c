/* SPDX-License-Identifier: MIT */
/*
 * The fault path: guest walk, then the second stage, then a path of shadow pages from
 * the root, then the leaf. Read it top down from shadow_fault().
 */
#include <gnomon/abi.h>

#include "shadow/internal.h"

/* A change that cannot be made drops everything and starts again; twice in a row means it never fits. */
#define TRIES 4
/* While others change the tables as fast as they are read. Then the guest faults once more. */
#define MOST_CHANGES 16
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
    [SHADOW_NO_MEMORY] = "the pool of shadow tables is too small, or the host has no memory",
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

/* The page below `page` on the way to `gva`. */
static enum shadow_result child_page(struct shadow *sh, struct counters *counters, const struct shadow_page *page,
                                     const struct walk *w, unsigned index, struct shadow_page **ret_child)
{
	const int level = page->role.level;
	struct shadow_role role = page->role;
	gfn_t gfn;

	if (page->role.direct) {
		gfn = gfn_init(page->gfn.raw + index * 512ull);
		role.level--;
	} else if (level == w->level) {
		gfn = gpa_to_gfn(gpte_leaf_gpa(w->gpte[level], level));
		role = role_direct(role, w->gpte[level]);
	} else {
		gfn = gpa_to_gfn(gpte_gpa(w->gpte[level]));
		role = role_below(role, w->gpte[level]);
	}
	return shadow_page_get(sh, counters, gfn, role, ret_child);
}

/* Leads the way through `child`. */
static enum shadow_result link_child(struct shadow *sh, struct counters *counters, struct shadow_page *page,
                                     unsigned index, struct shadow_page *child)
{
	const spte_t way = compose_table(child);
	enum shadow_result r;

	if (page->spte[index].raw == way.raw)
		return SHADOW_DONE;
	r = sh->opts & SHADOW_OPT_LAZY ? shadow_lazy_sync_below(sh, counters, child)
	                               : shadow_sync_below(sh, counters, child);
	if (r == SHADOW_RETRY) /* it was so far behind that it went */
		return SHADOW_CHANGED;
	if (r != SHADOW_DONE)
		return r;
	shadow_audit_below(sh, child);
	return shadow_set(sh, counters, page, index, way);
}

/* Now that the table is write-protected, or may lag: does the entry still say what the walk saw? */
static bool entry_unchanged(const struct shadow *sh, const struct walk *w, int level)
{
	const gpa_t at = gpa_add(gfn_to_gpa(w->table[level]), w->index[level] * sizeof(uint64_t));
	const _Atomic uint64_t *p = stage2_ptr(sh->s2, at, sizeof(*p));

	return p && atomic_load(p) == w->gpte[level].raw;
}

/* Fills the other entries of a guest leaf table whose pages were accessed before. */
static enum shadow_result prefetch(struct shadow *sh, struct counters *counters, struct shadow_page *page)
{
	enum shadow_result r = SHADOW_DONE;

	for (unsigned i = 0; r == SHADOW_DONE && i < 512; i++) {
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
		r = shadow_set(sh, counters, page, i, e);
		counter_add(counters, CTR_SHADOW_PREFETCHED, r == SHADOW_DONE);
	}
	return r;
}

/* The leaf of the way, as large as both stages allow. */
static enum shadow_result fill_leaf(struct shadow *sh, struct counters *counters, struct shadow_page *page,
                                    unsigned index, spte_t e)
{
	enum shadow_result r;

	page->writes = 0;
	r = shadow_set(sh, counters, page, index, e);
	if (r != SHADOW_DONE)
		return r;
	counter_inc(counters, CTR_SHADOW_FILLS);
	if (page->role.level > 1)
		return SHADOW_DONE;
	if (sh->opts & SHADOW_OPT_PREFETCH)
		r = prefetch(sh, counters, page);
	if (r == SHADOW_DONE && sh->opts & SHADOW_OPT_PROMOTE)
		r = shadow_promote(sh, counters, page);
	return r;
}

/* Links the path below the root `page` and sets the leaf. */
static enum shadow_result fill_below(struct shadow *sh, struct counters *counters, struct shadow_page *page, gva_t gva,
                                     const struct walk *w)
{
	for (int level = 4; level > 1; level--) {
		const unsigned index = gva_index(gva, level);
		struct shadow_page *child;
		enum shadow_result r;

		page->writes = 0;
		if (level >= w->level && !entry_unchanged(sh, w, level))
			return SHADOW_CHANGED;
		if (level == 2 && w->level >= 2 && sh->opts & SHADOW_OPT_LARGE) {
			const spte_t e = shadow_recompose(sh, page, index, SHADOW_FORM_LEAF);

			if (e.raw)
				return fill_leaf(sh, counters, page, index, e);
		}
		r = child_page(sh, counters, page, w, index, &child);
		if (r != SHADOW_DONE)
			return r;
		r = link_child(sh, counters, page, index, child);
		if (r != SHADOW_DONE)
			return r;
		page = child;
	}
	if (w->level == 1 && !entry_unchanged(sh, w, 1))
		return SHADOW_CHANGED;
	return fill_leaf(sh, counters, page, gva_index(gva, 1),
	                 shadow_recompose(sh, page, gva_index(gva, 1), SHADOW_FORM_LEAF));
}

/* The whole path, from frames that are reserved before any of it is linked. */
static enum shadow_result fill(struct shadow *sh, struct counters *counters, const struct shadow_view *view, gva_t gva,
                               const struct walk *w)
{
	struct shadow_page *root;
	enum shadow_result r = shadow_pool_reserve(sh, counters, SHADOW_AREA_TABLES, PATH);

	if (r == SHADOW_DONE)
		r = shadow_page_get(sh, counters, gpa_to_gfn(view->walk.cr3), role_root(view), &root);
	return r == SHADOW_DONE ? fill_below(sh, counters, root, gva, w) : r;
}

/* The short cut. True: that was it. */
static bool filled_fast(struct shadow *sh, struct counters *counters, const struct shadow_view *view, gva_t gva,
                        struct walk_access access)
{
	enum shadow_result r;

	/* It rests on the tables above the leaf's, which may lag when lazy. */
	if (!(sh->opts & SHADOW_OPT_AD_FAST) || sh->opts & SHADOW_OPT_LAZY)
		return false;
	r = shadow_fault_fast(sh, counters, view, gva, access);
	shadow_recover(sh, counters, r);
	return r == SHADOW_DONE;
}

/* Once. SHADOW_NO_MEMORY: not done, for the reason in *ret_result. */
static enum shadow_outcome try_fault(struct shadow *sh, struct counters *counters, const struct shadow_view *view,
                                     gva_t gva, struct walk_access access, struct walk *ret_walk,
                                     enum shadow_result *ret_result)
{
	gfn_t gfn;

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
	*ret_result = fill(sh, counters, view, gva, ret_walk);
	if (*ret_result == SHADOW_DONE)
		return SHADOW_FILLED;
	shadow_recover(sh, counters, *ret_result);
	return SHADOW_NO_MEMORY;
}

enum shadow_outcome shadow_fault(struct shadow *sh, struct counters *counters, const struct shadow_view *view,
                                 gva_t gva, struct walk_access access, struct walk *ret_walk)
{
	enum shadow_result r = SHADOW_RETRY;

	if (gva.raw >= GNOMON_RESERVED_BASE && gva.raw < GNOMON_RESERVED_END) {
		/* Whether there is something is the guest's affair; that nothing may be there is ours. */
		guest_walk(sh->s2, &view->walk, gva, access, false, ret_walk);
		return ret_walk->outcome == WALK_OK ? SHADOW_RESERVED_RANGE : of_walk(ret_walk);
	}
	if (filled_fast(sh, counters, view, gva, access))
		return SHADOW_FILLED;
	for (int tries = 0, changes = 0; tries < TRIES && changes < MOST_CHANGES;) {
		const enum shadow_outcome o = try_fault(sh, counters, view, gva, access, ret_walk, &r);

		if (o != SHADOW_NO_MEMORY)
			return o;
		tries += r != SHADOW_CHANGED;
		changes += r == SHADOW_CHANGED;
	}
	return r == SHADOW_CHANGED ? SHADOW_FILLED : SHADOW_NO_MEMORY;
}

bool shadow_root(struct shadow *sh, struct counters *counters, const struct shadow_view *view, maddr_t *ret_root,
                 bool *ret_built)
{
	const gfn_t gfn = gpa_to_gfn(view->walk.cr3);
	const struct shadow_role role = role_root(view);
	struct shadow_page *page = shadow_page_find(sh, gfn, role);
	enum shadow_result r = page ? SHADOW_DONE : SHADOW_RETRY;

	*ret_built = !page;
	for (int i = 0; r != SHADOW_DONE && i < TRIES; i++) {
		r = shadow_page_get(sh, counters, gfn, role, &page);
		shadow_recover(sh, counters, r);
	}
	if (r != SHADOW_DONE)
		return false;
	*ret_root = page->table;
	return true;
}

bool shadow_find_root(const struct shadow *sh, const struct shadow_view *view, maddr_t *ret_root)
{
	const struct shadow_page *page = shadow_page_find(sh, gpa_to_gfn(view->walk.cr3), role_root(view));

	if (page)
		*ret_root = page->table;
	return page;
}
