/* SPDX-License-Identifier: MIT */
/* A page for a guest table: found, or made once the table is protected. */
#include "shadow/internal.h"

/* Before a page of this role stands for the table, the guest must not write it unseen. */
static enum shadow_result protect_table(struct shadow *sh, struct counters *counters, gfn_t gfn,
                                        struct shadow_role role)
{
	const struct shadow_track *t = role.direct ? NULL : shadow_track_of(sh, gfn);

	if (!t || sh->opts & SHADOW_OPT_LAZY || (t->unsync && role.level == 1))
		return SHADOW_DONE;
	return t->unsync ? shadow_unsync_end(sh, counters, gfn) : shadow_write_protect(sh, counters, gfn);
}

enum shadow_result shadow_page_get(struct shadow *sh, struct counters *counters, gfn_t gfn, struct shadow_role role,
                                   struct shadow_page **ret_page)
{
	const enum shadow_area_kind kind = role.level == 4 ? SHADOW_AREA_ROOTS : SHADOW_AREA_TABLES;
	struct shadow_page *page = shadow_page_find(sh, gfn, role);
	enum shadow_result r;

	*ret_page = page;
	if (page)
		return SHADOW_DONE;
	r = protect_table(sh, counters, gfn, role);
	if (r == SHADOW_DONE && role.level == 4)
		r = shadow_pool_reserve(sh, counters, kind, 1);
	if (r != SHADOW_DONE)
		return r;
	r = shadow_pool_take(sh, counters, kind, &page);
	if (r != SHADOW_DONE)
		return r;
	page->gfn = gfn;
	page->role = role;
	shadow_cache_insert(sh, counters, page);
	if (!role.direct)
		shadow_track(sh, gfn);
	*ret_page = page;
	return SHADOW_DONE;
}
