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

#include "shadow/internal.h"

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

mfn_t compose_mfn(spte_t e)
{
	return mfn_init((e.raw & PTE_ADDR) >> PAGE_SHIFT);
}

bool compose_frame(const struct shadow *sh, gfn_t gfn, mfn_t *ret_mfn, int *ret_level)
{
	struct stage2_mapping m;

	if (!stage2_lookup(sh->s2, gfn_to_gpa(gfn), &m))
		return false;
	*ret_mfn = maddr_to_mfn(m.maddr);
	*ret_level = m.level;
	return true;
}

bool compose_allows_2m(const struct shadow *sh, gfn_t gfn)
{
	const int64_t n = shadow_frame(sh, gfn);
	mfn_t mfn;
	int level;

	return n >= 0 && gfn.raw % 512 == 0 && !sh->tables_2m[n / 512] && compose_frame(sh, gfn, &mfn, &level) &&
	       level >= 2 && mfn.raw % 512 == 0;
}

spte_t compose_leaf(const struct shadow *sh, struct shadow_role role, int level, gfn_t gfn, struct shadow_rights r)
{
	const spte_t nothing = {0};
	bool write = r.w, fetch = r.x;
	int mapped_level;
	mfn_t mfn;

	if (role.user) {
		if (!r.u)
			return nothing;
	} else {
		if (r.u && role.smap)
			return nothing;
		if (r.u && role.smep)
			fetch = false;
		if (!role.wp)
			write = true;
	}
	if (!compose_frame(sh, gfn, &mfn, &mapped_level) || (level == 2 && !compose_allows_2m(sh, gfn)))
		return nothing;
	if (!r.dirty || shadow_is_tracked(sh, gfn))
		write = false;
	return (spte_t){maddr_raw(mfn_to_maddr(mfn)) | SPTE_BASE | PTE_D | (level == 2 ? PTE_PS : 0) |
	                (write ? PTE_W : 0) | (fetch ? 0 : PTE_NX)};
}
