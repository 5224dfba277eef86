/* SPDX-License-Identifier: MIT */
/*
 * The short cut for A and D: the shadow already has a path to the leaf table, so everything above
 * it is known to allow the access (a path is linked only where A is set, and the tables above leaf
 * tables are never unsync); only the guest's leaf entry is looked at.
 */
#include <gnomon/abi.h>
#include <stdatomic.h>

#include "shadow/internal.h"

/* The page of the leaf table for `gva`, when it is linked. */
static struct shadow_page *linked_leaf_page(struct shadow *sh, const struct shadow_view *view, gva_t gva)
{
	struct shadow_page *page = shadow_page_find(sh, gpa_to_gfn(view->walk.cr3), role_root(view));

	for (int level = 4; page && level > 1; level--) {
		const spte_t e = page->spte[gva_index(gva, level)];

		if (!(e.raw & PTE_P) || spte_is_leaf(page, e))
			return NULL;
		page = shadow_child(sh, e);
	}
	return page && !page->role.direct ? page : NULL;
}

enum shadow_result shadow_fault_fast(struct shadow *sh, struct counters *counters, const struct shadow_view *view,
                                     gva_t gva, struct walk_access access)
{
	struct shadow_page *page = linked_leaf_page(sh, view, gva);
	const unsigned index = gva_index(gva, 1);
	struct shadow_role own;
	_Atomic uint64_t *p;
	uint64_t old, new;
	enum shadow_result r;
	gfn_t gfn;

	if (!page)
		return SHADOW_RETRY;
	p = stage2_ptr(sh->s2, gpa_add(gfn_to_gpa(page->gfn), index * sizeof(*p)), sizeof(*p));
	old = p ? atomic_load(p) : 0;
	new = old | PTE_A | (access.write ? PTE_D : 0);
	if (!(old & PTE_P) || old == new || old & gpte_reserved(&view->walk, (gpte_t){old}, 1))
		return SHADOW_RETRY;
	own = role_below(page->role, (gpte_t){old});
	gfn = gpa_to_gfn(gpte_gpa((gpte_t){old}));
	if (!walk_permits(&view->walk, access, own.w, own.u, own.x) || !shadow_frame_mapped(sh, gfn) ||
	    (access.write && shadow_is_tracked(sh, gfn)) || (!access.user && own.u && page->role.smap))
		return SHADOW_RETRY;
	if (!atomic_compare_exchange_strong(p, &old, new))
		return SHADOW_RETRY;
	written_note(&sh->s2->written, gfn_to_gpa(page->gfn), PAGE_SIZE);
	r = shadow_set(sh, counters, page, index, shadow_recompose(sh, page, index, SHADOW_FORM_LEAF));
	if (r == SHADOW_DONE)
		counter_inc(counters, CTR_SHADOW_AD_FAST);
	return r;
}
