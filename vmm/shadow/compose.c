/* SPDX-License-Identifier: MIT */
/*
 * From rights and frames to shadow entries. Both guest CPLs really run at CPL 3, so U is
 * set in everything the guest may reach and the two views differ in what is there:
 *
 *   guest's rights        user view        kernel view
 *   U=0                   nothing          mapped; W if W or WP=0
 *   U=1                   mapped; W if W   mapped; W if W or WP=0; no X under SMEP; nothing under SMAP
 *
 * D=0 or a tracked frame takes W away: the write faults and is seen. A and D are set
 * beforehand so that the CPU has nothing to write into a shadow entry, and G never is.
 */
#include <string.h>

#include "shadow/shadow.h"

#define SPTE_BASE (PTE_P | PTE_U | PTE_A)

bool role_equal(struct shadow_role a, struct shadow_role b)
{
	return memcmp(&a, &b, sizeof(a)) == 0;
}

struct shadow_role role_root(const struct shadow_view *view)
{
	struct shadow_role role;

	memset(&role, 0, sizeof(role));
	role.level = 4;
	role.user = view->user;
	role.w = role.u = role.x = 1;
	role.wp = view->walk.wp;
	role.nxe = view->walk.nxe;
	role.smep = view->walk.smep;
	role.smap = view->walk.smap && !view->ac;
	return role;
}

struct shadow_role role_below(struct shadow_role above, gpte_t e)
{
	struct shadow_role role = above;

	role.level--;
	role.w &= !!(e.raw & PTE_W);
	role.u &= !!(e.raw & PTE_U);
	role.x &= !(e.raw & PTE_NX);
	return role;
}

struct shadow_role role_direct(struct shadow_role above, gpte_t e)
{
	struct shadow_role role = role_below(above, e);

	role.direct = 1;
	role.dirty = !!(e.raw & PTE_D);
	return role;
}

spte_t compose_table(const struct shadow_page *child)
{
	return (spte_t){maddr_raw(child->table) | SPTE_BASE | PTE_W};
}

spte_t compose_leaf(const struct shadow *sh, struct shadow_role role, gfn_t gfn, bool w, bool u, bool x, bool dirty)
{
	const spte_t nothing = {0};
	bool write = w, fetch = x;

	if (role.user) {
		if (!u)
			return nothing;
	} else {
		if (u && role.smap)
			return nothing;
		if (u && role.smep)
			fetch = false;
		if (!role.wp)
			write = true;
	}
	if (!dirty || shadow_is_tracked(sh, gfn))
		write = false;
	/* The second stage is one to one here: the frame's number is its machine frame's. */
	return (spte_t){maddr_raw(mfn_to_maddr(mfn_init(gfn.raw))) | SPTE_BASE | PTE_D | (write ? PTE_W : 0) |
			(fetch ? 0 : PTE_NX)};
}

static spte_t recompose_child(const struct shadow *sh, gfn_t gfn, struct shadow_role role)
{
	const struct shadow_page *child = shadow_page_find(sh, gfn, role);

	return child ? compose_table(child) : (spte_t){0};
}

static spte_t recompose_direct(const struct shadow *sh, const struct shadow_page *page, unsigned index)
{
	const struct shadow_role r = page->role;

	if (r.level > 1) {
		struct shadow_role below = r;

		below.level--;
		return recompose_child(sh, gfn_init(page->gfn.raw + index * 512ull), below);
	}
	if (shadow_frame(sh, gfn_init(page->gfn.raw + index)) < 0)
		return (spte_t){0};
	return compose_leaf(sh, r, gfn_init(page->gfn.raw + index), r.w, r.u, r.x, r.dirty);
}

static spte_t recompose(const struct shadow *sh, const struct shadow_page *page, unsigned index, uint64_t ignored)
{
	const struct shadow_role r = page->role;
	const struct walk_mode mode = {.nxe = r.nxe, .gbpages = sh->gbpages, .maxphyaddr = sh->maxphyaddr};
	const gpa_t at = gpa_add(gfn_to_gpa(page->gfn), index * sizeof(uint64_t));
	const _Atomic uint64_t *p;
	gpte_t e;

	if (r.direct)
		return recompose_direct(sh, page, index);
	p = guest_mem_ptr(sh->mem, maddr_init(at.raw), sizeof(*p));
	e = (gpte_t){atomic_load(p) & ~ignored};
	if (!(e.raw & PTE_P) || !(e.raw & PTE_A) || (e.raw & gpte_reserved(&mode, e, r.level)))
		return (spte_t){0};
	if (r.level == 1) {
		const gfn_t gfn = gpa_to_gfn(gpte_gpa(e));

		if (shadow_frame(sh, gfn) < 0)
			return (spte_t){0};
		return compose_leaf(sh, r, gfn, r.w && (e.raw & PTE_W), r.u && (e.raw & PTE_U), r.x && !(e.raw & PTE_NX),
				    e.raw & PTE_D);
	}
	if (gpte_is_leaf(e, r.level))
		return recompose_child(sh, gpa_to_gfn(gpte_leaf_gpa(e, r.level)), role_direct(r, e));
	return recompose_child(sh, gpa_to_gfn(gpte_gpa(e)), role_below(r, e));
}

spte_t shadow_recompose(const struct shadow *sh, const struct shadow_page *page, unsigned index)
{
	return recompose(sh, page, index, 0);
}

spte_t shadow_recompose_clean(const struct shadow *sh, const struct shadow_page *page, unsigned index)
{
	return recompose(sh, page, index, PTE_D);
}
