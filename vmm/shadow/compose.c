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
#include "shadow/internal.h"

spte_t compose_table(const struct shadow_page *child)
{
	return (spte_t){maddr_raw(child->table) | SPTE_BASE | PTE_W};
}

bool compose_allows_2m(const struct shadow *sh, gfn_t gfn)
{
	const int64_t n = shadow_frame(sh, gfn);
	mfn_t mfn;
	int level;

	/* Lazily no table is protected, wherever it lies. */
	return n >= 0 && gfn.raw % 512 == 0 && (sh->opts & SHADOW_OPT_LAZY || !sh->tables_2m[n / 512]) &&
	       shadow_gfn_to_mfn(sh, gfn, &mfn, &level) && level >= 2 && mfn.raw % 512 == 0;
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
	if (!shadow_gfn_to_mfn(sh, gfn, &mfn, &mapped_level) || (level == 2 && !compose_allows_2m(sh, gfn)))
		return nothing;
	if (!r.dirty || shadow_is_tracked(sh, gfn))
		write = false;
	return (spte_t){maddr_raw(mfn_to_maddr(mfn)) | SPTE_BASE | PTE_D | (level == 2 ? PTE_PS : 0) |
	                (write ? PTE_W : 0) | (fetch ? 0 : PTE_NX)};
}
