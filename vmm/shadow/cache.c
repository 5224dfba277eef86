/* SPDX-License-Identifier: MIT */
/* The cache of shadow pages, by (gfn, role), and their order by age. */
#include "shadow/internal.h"

static unsigned bucket_of(gfn_t gfn)
{
	return (gfn.raw * 0x9e3779b97f4a7c15ull) >> 52;
}

_Static_assert(SHADOW_BUCKETS == 1 << (64 - 52), "bucket_of");

struct shadow_page *shadow_page_find(const struct shadow *sh, gfn_t gfn, struct shadow_role role)
{
	for (struct shadow_page *p = sh->bucket[bucket_of(gfn)]; p; p = p->hash_next)
		if (p->gfn.raw == gfn.raw && role_equal(p->role, role))
			return p;
	return NULL;
}

static struct shadow_page *same_table(struct shadow_page *p, gfn_t gfn)
{
	while (p && (p->gfn.raw != gfn.raw || p->role.direct))
		p = p->hash_next;
	return p;
}

struct shadow_page *shadow_page_first(const struct shadow *sh, gfn_t gfn)
{
	return same_table(sh->bucket[bucket_of(gfn)], gfn);
}

struct shadow_page *shadow_page_next(const struct shadow_page *page)
{
	return same_table(page->hash_next, page->gfn);
}

struct shadow_page *shadow_page_direct(const struct shadow *sh, gfn_t gfn)
{
	struct shadow_page *p = sh->bucket[bucket_of(gfn)];

	while (p && (p->gfn.raw != gfn.raw || !p->role.direct || p->role.level != 1))
		p = p->hash_next;
	return p;
}

void shadow_cache_insert(struct shadow *sh, struct counters *counters, struct shadow_page *page)
{
	struct shadow_page **bucket = &sh->bucket[bucket_of(page->gfn)];

	page->hash_next = *bucket;
	*bucket = page;
	page->older = sh->newest;
	*(sh->newest ? &sh->newest->newer : &sh->oldest) = page;
	sh->newest = page;
	counter_inc(counters, CTR_SHADOW_PAGES_BUILT);
	counter_add(counters, CTR_SHADOW_PAGES_IN_USE, 1);
}

void shadow_cache_remove(struct shadow *sh, struct counters *counters, struct shadow_page *page)
{
	struct shadow_page **p = &sh->bucket[bucket_of(page->gfn)];

	while (*p != page)
		p = &(*p)->hash_next;
	*p = page->hash_next;
	*(page->older ? &page->older->newer : &sh->oldest) = page->newer;
	*(page->newer ? &page->newer->older : &sh->newest) = page->older;
	counter_add(counters, CTR_SHADOW_PAGES_IN_USE, -1ull);
}
