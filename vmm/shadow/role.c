/* SPDX-License-Identifier: MIT */
/* Roles: what decides the content of a shadow page beside its gfn. */
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
