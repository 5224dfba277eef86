/* SPDX-License-Identifier: MIT */
/* What a shadow entry has to be: from the guest's tables and the second stage as they stand. */
#include <stdatomic.h>

#include "shadow/internal.h"

static enum shadow_form form_of(const struct shadow_page *page, spte_t e)
{
	return spte_is_leaf(page, e) ? SHADOW_FORM_LEAF : SHADOW_FORM_TABLE;
}

static spte_t way_to(const struct shadow *sh, gfn_t gfn, struct shadow_role role)
{
	const struct shadow_page *child = shadow_page_find(sh, gfn, role);

	return child ? compose_table(child) : (spte_t){0};
}

static spte_t leaf(const struct shadow *sh, struct shadow_role role, gfn_t gfn, struct shadow_rights rights)
{
	if (role.level > 2 || shadow_frame(sh, gfn) < 0)
		return (spte_t){0};
	return compose_leaf(sh, role, role.level, gfn, rights);
}

/* A part of a large guest page. */
static spte_t recompose_direct(const struct shadow *sh, const struct shadow_page *page, unsigned index,
                               enum shadow_form form, bool clean)
{
	const struct shadow_role r = page->role;
	const gfn_t gfn = gfn_init(page->gfn.raw + ((uint64_t)index << 9 * (r.level - 1)));
	struct shadow_role below = r;

	if (form == SHADOW_FORM_LEAF)
		return leaf(sh, r, gfn, (struct shadow_rights){r.w, r.u, r.x, r.dirty && !clean});
	below.level--;
	return way_to(sh, gfn, below);
}

static spte_t recompose(const struct shadow *sh, const struct shadow_page *page, unsigned index, enum shadow_form form,
                        bool clean)
{
	const struct shadow_role r = page->role;
	const struct walk_mode mode = {.nxe = r.nxe,
	                               .gbpages = sh->gbpages,
	                               .pml4_global_reserved = sh->pml4_global_reserved,
	                               .maxphyaddr = sh->maxphyaddr};
	const gpa_t at = gpa_add(gfn_to_gpa(page->gfn), index * sizeof(uint64_t));
	const _Atomic uint64_t *p;
	struct shadow_role own;
	gpte_t e;

	if (r.direct)
		return recompose_direct(sh, page, index, form, clean);
	p = stage2_ptr(sh->s2, at, sizeof(*p));
	e = (gpte_t){p ? atomic_load(p) & ~(clean ? PTE_D : 0) : 0};
	if (!(e.raw & PTE_P) || !(e.raw & PTE_A) || (e.raw & gpte_reserved(&mode, e, r.level)))
		return (spte_t){0};
	if (!gpte_is_leaf(e, r.level))
		return form == SHADOW_FORM_TABLE ? way_to(sh, gpa_to_gfn(gpte_gpa(e)), role_below(r, e)) : (spte_t){0};
	if (form == SHADOW_FORM_TABLE)
		return way_to(sh, gpa_to_gfn(gpte_leaf_gpa(e, r.level)), role_direct(r, e));
	own = role_below(r, e);
	return leaf(sh, r, gpa_to_gfn(gpte_leaf_gpa(e, r.level)),
	            (struct shadow_rights){own.w, own.u, own.x, e.raw & PTE_D});
}

spte_t shadow_recompose(const struct shadow *sh, const struct shadow_page *page, unsigned index, enum shadow_form form)
{
	return recompose(sh, page, index, form, false);
}

/* Without WATCHED, which is ours, and A, which a watched entry gets from the CPU. */
static uint64_t content(spte_t e)
{
	return e.raw & ~(SPTE_WATCHED | PTE_A);
}

bool shadow_entry_stands(const struct shadow *sh, const struct shadow_page *page, unsigned index, spte_t *ret_must)
{
	const spte_t e = page->spte[index];
	const enum shadow_form form = form_of(page, e);

	if (!(e.raw & PTE_P))
		return true;
	*ret_must = recompose(sh, page, index, form, false);
	/* Less write access than the guest gives: its frame was a table once, or D was set since, by another view or
	 * by an emulated write. */
	return content(e) == content(*ret_must) || content((spte_t){e.raw | PTE_W}) == content(*ret_must) ||
	       content(e) == content(recompose(sh, page, index, form, true));
}
