/* SPDX-License-Identifier: MIT */
#include "model/walk_check.h"

#include <gnomon/addr.h>
#include <string.h>

#include "base/log.h"

/* A count under way. */
struct walker {
	const struct walk_check *w;
	struct walk_cache *cache;
	unsigned walked, checked; /* entries, of this walk */
	uint64_t checks, hits;
};

/* Moves the frame to the front. True if it was there; else the one that was used longest ago makes room. */
static bool look(struct walk_cache *cache, uint64_t frame)
{
	unsigned i = 0;
	bool hit;

	if (!cache->size)
		return false;
	while (i < cache->used && cache->frame[i] != frame)
		i++;
	hit = i < cache->used;
	if (!hit && cache->used < cache->size)
		cache->used++;
	if (i == cache->used)
		i--;
	memmove(cache->frame + 1, cache->frame, i * sizeof(*cache->frame));
	cache->frame[0] = frame;
	return hit;
}

static bool check(struct walker *k, uint64_t maddr)
{
	unsigned reads;

	if (!k->w->check(k->w->ctx, maddr, &reads))
		return false;
	k->checks++;
	if (look(k->cache, maddr >> PAGE_SHIFT))
		k->hits++;
	else
		k->checked += reads;
	return true;
}

/* An access at an address that stage 1 yields: it is translated, and checked. */
static bool access_at(struct walker *k, uint64_t at)
{
	struct walk_second second = {.maddr = at};

	if (k->w->second && !k->w->second(k->w->ctx, at, &second))
		return false;
	for (int i = 0; i < second.nr; i++) {
		k->walked++;
		if (k->w->reading == WALK_CHECK_EVERY && !check(k, second.at[i]))
			return false;
	}
	return check(k, second.maddr);
}

/* False: the page is not mapped, or a check is refused. */
static bool walk(struct walker *k, uint64_t va)
{
	struct walk_steps steps;

	k->walked = k->checked = 0;
	if (!walk_steps(&k->w->tables, va, &steps))
		return false;
	for (int i = 0; i < steps.nr; i++) {
		if (!access_at(k, steps.at[i]))
			return false;
		k->walked++;
	}
	return access_at(k, steps.data);
}

void walk_check_count(const struct walk_check *w, struct walk_cache *cache, uint64_t first, uint64_t bytes,
                      struct walk_check_refs *ret_refs)
{
	const uint64_t pages = bytes ? ((first + bytes - 1) >> PAGE_SHIFT) - (first >> PAGE_SHIFT) + 1 : 0;
	struct walker k = {.w = w, .cache = cache};
	struct walk_check_refs refs = {0};

	BUG_ON(cache->size > WALK_CACHE_MAX);
	for (uint64_t i = 0; i < pages; i++) {
		const struct walker before = k;
		unsigned all;

		if (!walk(&k, (first & PAGE_MASK) + i * PAGE_SIZE)) {
			k = before;
			continue;
		}
		all = k.walked + k.checked;
		if (!refs.pages++ || all < refs.low)
			refs.low = all;
		if (all > refs.high)
			refs.high = all;
		refs.sum += all;
		refs.walked += k.walked;
	}
	refs.checks = k.checks;
	refs.hits = k.hits;
	*ret_refs = refs;
}
