/* SPDX-License-Identifier: MIT */
/* The cache of shadow pages, and the write protection of the guest tables they shadow. */
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

static void insert(struct shadow *sh, struct counters *counters, struct shadow_page *page)
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

static void take_out(struct shadow *sh, struct counters *counters, struct shadow_page *page)
{
	struct shadow_page **p = &sh->bucket[bucket_of(page->gfn)];

	while (*p != page)
		p = &(*p)->hash_next;
	*p = page->hash_next;
	*(page->older ? &page->older->newer : &sh->oldest) = page->newer;
	*(page->newer ? &page->newer->older : &sh->newest) = page->older;
	counter_add(counters, CTR_SHADOW_PAGES_IN_USE, -1ull);
}

static void track(struct shadow *sh, gfn_t gfn)
{
	const int64_t n = shadow_frame(sh, gfn);

	if (!sh->track[n].pages++)
		sh->tables_2m[n / 512]++;
}

static void untrack(struct shadow *sh, gfn_t gfn)
{
	const int64_t n = shadow_frame(sh, gfn);

	if (--sh->track[n].pages)
		return;
	sh->tables_2m[n / 512]--;
	if (sh->track[n].unsync)
		shadow_unsync_forget(sh, gfn);
}

void shadow_page_forget(struct shadow *sh, struct counters *counters, struct shadow_page *page)
{
	for (unsigned i = 0; i < 512 && page->present; i++)
		shadow_unlink(sh, counters, page, i);
	if (!page->role.direct)
		untrack(sh, page->gfn);
	take_out(sh, counters, page);
}

enum shadow_result shadow_page_zap(struct shadow *sh, struct counters *counters, struct shadow_page *page)
{
	while (page->parents) {
		const struct shadow_ref *ref = page->parents;
		const enum shadow_result r = shadow_set(sh, counters, ref->page, ref->index, (spte_t){0});

		if (r != SHADOW_DONE)
			return r;
	}
	shadow_page_forget(sh, counters, page);
	shadow_pool_give(sh, page, true);
	sh->flushes++; /* a CPU may still walk it, as root for one */
	return SHADOW_DONE;
}

enum shadow_result shadow_zap_table(struct shadow *sh, struct counters *counters, gfn_t gfn)
{
	enum shadow_result r = SHADOW_DONE;
	struct shadow_page *page;

	while (r == SHADOW_DONE && (page = shadow_page_first(sh, gfn)))
		r = shadow_page_zap(sh, counters, page);
	return r;
}

static enum shadow_result zap_2m_around(struct shadow *sh, struct counters *counters, int64_t n)
{
	const struct shadow_ref *ref;
	enum shadow_result r = SHADOW_DONE;

	while (r == SHADOW_DONE && (ref = sh->rmap_2m[n / 512])) {
		counter_inc(counters, CTR_SHADOW_WRITE_PROTECTS);
		r = shadow_set(sh, counters, ref->page, ref->index, (spte_t){0});
	}
	return r;
}

static enum shadow_result protect_4k(struct shadow *sh, struct counters *counters, int64_t n)
{
	enum shadow_result r = SHADOW_DONE;

	for (const struct shadow_ref *ref = sh->rmap[n]; r == SHADOW_DONE && ref; ref = ref->next) {
		const spte_t e = ref->page->spte[ref->index];

		if (!(e.raw & PTE_W))
			continue;
		counter_inc(counters, CTR_SHADOW_WRITE_PROTECTS);
		r = shadow_set(sh, counters, ref->page, ref->index, (spte_t){e.raw & ~PTE_W});
	}
	return r;
}

static bool is_mapped_writable(const struct shadow *sh, int64_t n)
{
	for (const struct shadow_ref *ref = sh->rmap[n]; ref; ref = ref->next)
		if (ref->page->spte[ref->index].raw & PTE_W)
			return true;
	return sh->rmap_2m[n / 512];
}

/* No entry maps it writable any more, but a CPU in the guest may have a translation from before. */
static bool is_known_writable(const struct shadow *sh, int64_t n)
{
	const uint64_t until = sh->unmapped[n], until_2m = sh->unmapped_2m[n / 512];

	return (until > until_2m ? until : until_2m) > sh->ops->oldest_flush(sh->ctx);
}

enum shadow_result shadow_write_protect(struct shadow *sh, struct counters *counters, gfn_t gfn)
{
	enum shadow_result r;
	mfn_t mfn;
	int level;
	int64_t n;

	if (!compose_frame(sh, gfn, &mfn, &level))
		return SHADOW_DONE;
	n = shadow_machine_frame(sh, mfn);
	if (!is_mapped_writable(sh, n)) {
		if (is_known_writable(sh, n))
			shadow_quiesce(sh, counters);
		return SHADOW_DONE;
	}
	if (!(sh->opts & SHADOW_OPT_EMULATE_UPDATE))
		return SHADOW_MUST_DROP;
	shadow_quiesce(sh, counters); /* from here on no vCPU writes the table unseen */
	r = zap_2m_around(sh, counters, n);
	return r == SHADOW_DONE ? protect_4k(sh, counters, n) : r;
}

/* Before a page of this role stands for the table, the guest must not write it unseen. */
static enum shadow_result protect_table(struct shadow *sh, struct counters *counters, gfn_t gfn,
                                        struct shadow_role role)
{
	const struct shadow_track *t = role.direct ? NULL : &sh->track[shadow_frame(sh, gfn)];

	if (!t || (t->unsync && role.level == 1))
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
	insert(sh, counters, page);
	if (!role.direct)
		track(sh, gfn);
	*ret_page = page;
	return SHADOW_DONE;
}
