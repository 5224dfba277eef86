/* SPDX-License-Identifier: MIT */
/*
 * Life of a shadow and of its table frames. After a frame was linked, KVM may remember
 * its content whatever the VMM stores there (docs/hosts.md). So there are
 *
 *   fresh frames   never linked since the last recycling: filled by plain stores
 *   used frames    of evicted and zapped pages: what they still hold is changed through the stub, entry by entry
 *   resting ones   of pages that went with a drop: until the whole pool is recycled
 *
 * The last part of the pool is for roots alone. The stub is reached through a root from the moment that CR3 holds it, before
 * any edit is stored: so a frame becomes a root that is fresh, or was one before and holds the stub's slot already.
 */
#include <gnomon/abi.h>
#include <stdlib.h>
#include <string.h>

#include "shadow/internal.h"

static uint64_t ram_frames(const struct guest_mem *mem)
{
	return mem->size >> PAGE_SHIFT;
}

/* RAM's frames numbered through. Guest and machine frames are laid out alike; the second stage may leave some out. */
static int64_t frame_number(const struct shadow *sh, uint64_t frame)
{
	uint64_t before = 0;

	for (int i = 0; i < sh->s2->mem->nr_regions; i++) {
		const struct mem_region *r = &sh->s2->mem->region[i];
		uint64_t n = frame - (maddr_raw(r->base) >> PAGE_SHIFT);

		if (n < r->size >> PAGE_SHIFT)
			return before + n;
		before += r->size >> PAGE_SHIFT;
	}
	return -1;
}

int64_t shadow_frame(const struct shadow *sh, gfn_t gfn)
{
	return frame_number(sh, gfn.raw);
}

bool shadow_frame_mapped(const struct shadow *sh, gfn_t gfn)
{
	struct stage2_mapping m;

	return stage2_lookup(sh->s2, gfn_to_gpa(gfn), &m);
}

int64_t shadow_machine_frame(const struct shadow *sh, mfn_t mfn)
{
	return frame_number(sh, mfn.raw);
}

bool shadow_is_tracked(const struct shadow *sh, gfn_t gfn)
{
	int64_t n = shadow_frame(sh, gfn);

	return n >= 0 && sh->track[n].pages && !sh->track[n].unsync && !sh->track[n].open;
}

void shadow_quiesce(struct shadow *sh, struct counters *counters)
{
	sh->ops->quiesce(sh->ctx, counters);
}

static bool area_init(struct shadow_area *area, unsigned first, unsigned end)
{
	*area = (struct shadow_area){.first = first, .end = end, .next_fresh = first};
	area->used = calloc(end - first, sizeof(*area->used));
	return area->used;
}

static bool allocate(struct shadow *sh)
{
	const uint64_t frames = ram_frames(sh->s2->mem);
	const unsigned tables = sh->nr_frames - sh->nr_frames / 8;
	const bool ok = area_init(&sh->area[SHADOW_AREA_TABLES], 0, tables) &&
	                area_init(&sh->area[SHADOW_AREA_ROOTS], tables, sh->nr_frames);

	sh->pages = calloc(sh->nr_frames, sizeof(*sh->pages));
	sh->track = calloc(frames, sizeof(*sh->track));
	sh->rmap = calloc(frames, sizeof(struct shadow_ref *));
	sh->rmap_2m = calloc(frames / 512, sizeof(struct shadow_ref *));
	sh->tables_2m = calloc(frames / 512, sizeof(*sh->tables_2m));
	sh->unmapped = calloc(frames, sizeof(*sh->unmapped));
	sh->unmapped_2m = calloc(frames / 512, sizeof(*sh->unmapped_2m));
	return ok && sh->pages && sh->track && sh->rmap && sh->rmap_2m && sh->tables_2m && sh->unmapped &&
	       sh->unmapped_2m;
}

struct shadow *shadow_create(const struct shadow_params *params)
{
	struct shadow *sh = calloc(1, sizeof(*sh));

	if (!sh)
		return NULL;
	*sh = (struct shadow){
	    .s2 = params->s2,
	    .ops = params->ops,
	    .ctx = params->ctx,
	    .opts = params->opts,
	    .audited = params->audited,
	    .maxphyaddr = params->maxphyaddr,
	    .gbpages = params->gbpages,
	    .stub_pdpt = params->stub_pdpt,
	    .pool = params->pool,
	    .pool_base = params->pool_base,
	    .nr_frames = params->nr_frames,
	};
	if (allocate(sh))
		return sh;
	shadow_destroy(sh);
	return NULL;
}

void shadow_destroy(struct shadow *sh)
{
	if (!sh)
		return;
	for (unsigned i = 0; i < sh->nr_ref_blocks; i++)
		free(sh->ref_blocks[i]);
	for (int i = 0; i < SHADOW_AREAS; i++)
		free(sh->area[i].used);
	free(sh->ref_blocks);
	free(sh->edit);
	free(sh->pages);
	free(sh->track);
	free(sh->rmap);
	free(sh->rmap_2m);
	free(sh->tables_2m);
	free(sh->unmapped);
	free(sh->unmapped_2m);
	free(sh);
}

uint64_t shadow_flushes(const struct shadow *sh)
{
	return sh->flushes;
}

const uint64_t *shadow_pool_ptr(const struct shadow *sh, maddr_t at)
{
	const uint64_t offset = maddr_raw(at) - maddr_raw(sh->pool_base);

	return offset < (uint64_t)sh->nr_frames * PAGE_SIZE ? (const void *)(sh->pool + offset) : NULL;
}

void shadow_drop_all(struct shadow *sh, struct counters *counters)
{
	shadow_quiesce(sh, counters);
	counter_inc(counters, CTR_SHADOW_DROPS);
	while (sh->oldest) {
		const struct shadow_page *page = sh->oldest;

		shadow_page_forget(sh, counters, sh->oldest);
		shadow_pool_give(sh, page, false);
	}
	BUG_ON(sh->nr_unsync);
	sh->nr_edits = 0;
	for (int i = 0; i < SHADOW_AREAS; i++) {
		BUG_ON(sh->area[i].in_use);
		sh->area[i].nr_used = 0; /* an edit that would have cleared one is gone */
	}
	sh->flushes++;
}

int shadow_recycle(struct shadow *sh, struct counters *counters)
{
	int r;

	shadow_drop_all(sh, counters);
	counter_inc(counters, CTR_SHADOW_RECYCLES);
	for (int i = 0; i < SHADOW_AREAS; i++) {
		struct shadow_area *area = &sh->area[i];

		memset(sh->pool + (size_t)area->first * PAGE_SIZE, 0,
		       (size_t)(area->next_fresh - area->first) * PAGE_SIZE);
	}
	r = sh->ops->recycle_pool(sh->ctx);
	if (r < 0)
		return r;
	for (int i = 0; i < SHADOW_AREAS; i++)
		sh->area[i].next_fresh = sh->area[i].first;
	return 0;
}

void shadow_recover(struct shadow *sh, struct counters *counters, enum shadow_result r)
{
	if (r == SHADOW_MUST_DROP)
		shadow_drop_all(sh, counters);
	else if (r == SHADOW_MUST_RECYCLE)
		(void)!shadow_recycle(sh,
		                      counters); /* if the host refuses, no frame is to be had, which ends the guest */
}

static unsigned fresh(const struct shadow_area *area)
{
	return area->end - area->next_fresh;
}

static enum shadow_area_kind kind_of(const struct shadow_page *page)
{
	return page->role.level == 4 ? SHADOW_AREA_ROOTS : SHADOW_AREA_TABLES;
}

/* Zaps the oldest pages of this kind: no other vCPU is in the guest. */
static enum shadow_result evict(struct shadow *sh, struct counters *counters, enum shadow_area_kind kind, unsigned nr)
{
	enum shadow_result r;

	for (struct shadow_page *p = sh->oldest, *newer; p && nr; p = newer) {
		newer = p->newer;
		if (kind_of(p) != kind)
			continue;
		r = shadow_page_zap(sh, counters, p);
		if (r != SHADOW_DONE)
			return r;
		counter_inc(counters, CTR_SHADOW_EVICTIONS);
		nr--;
	}
	return SHADOW_DONE;
}

enum shadow_result shadow_pool_reserve(struct shadow *sh, struct counters *counters, enum shadow_area_kind kind,
                                       unsigned nr)
{
	const struct shadow_area *area = &sh->area[kind];
	const unsigned size = area->end - area->first;
	enum shadow_result r = SHADOW_DONE;

	if (fresh(area) >= nr)
		return SHADOW_DONE;
	/* When most frames are resting, there is little to lose and much to win. */
	if (!(sh->opts & SHADOW_OPT_EMULATE_UPDATE) || (area->in_use + area->nr_used) * 2 < size)
		return SHADOW_MUST_RECYCLE;
	/* A CPU may still walk a used frame by what its TLB remembers: before it is given away, everybody flushes. */
	shadow_quiesce(sh, counters);
	sh->flushes++;
	if (fresh(area) + area->nr_used < nr)
		r = evict(sh, counters, kind, size / 32 + nr);
	if (r != SHADOW_DONE)
		return r;
	return fresh(area) + area->nr_used >= nr ? SHADOW_DONE : SHADOW_RETRY;
}

/* What a used frame still holds goes by edits, but for the stub's slot of a root. */
static enum shadow_result empty(struct shadow *sh, struct counters *counters, struct shadow_page *page, int kept)
{
	enum shadow_result r = SHADOW_DONE;

	for (int i = 0; r == SHADOW_DONE && i < 512; i++)
		if (page->live[i] && i != kept)
			r = shadow_edit_queue(sh, counters, page, i, (spte_t){0});
	return r;
}

/* A frame that is fresh, or else a used one. */
static struct shadow_page *take_frame(struct shadow *sh, struct shadow_area *area)
{
	const unsigned n = fresh(area) ? area->next_fresh++ : area->used[--area->nr_used];
	struct shadow_page *page = &sh->pages[n];

	*page = (struct shadow_page){
	    .table = maddr_add(sh->pool_base, n * PAGE_SIZE),
	    .live = (uint64_t *)(void *)(sh->pool + n * PAGE_SIZE),
	};
	return page;
}

enum shadow_result shadow_pool_take(struct shadow *sh, struct counters *counters, enum shadow_area_kind kind,
                                    struct shadow_page **ret_page)
{
	const int stub_slot = gva_index(gva_init(GNOMON_RESERVED_BASE), 4);
	struct shadow_area *area = &sh->area[kind];
	const bool is_fresh = fresh(area);
	enum shadow_result r = SHADOW_DONE;
	struct shadow_page *page;

	BUG_ON(!is_fresh && !area->nr_used);
	page = take_frame(sh, area);
	/*
	 * A fresh frame is zero. It is written before it is read: else Linux before 6.13 has a large page of zeroes there,
	 * and small pages from the first write on. No CPU has it yet, so plain stores do.
	 */
	if (is_fresh)
		page->live[0] = 0;
	else
		r = empty(sh, counters, page, kind == SHADOW_AREA_ROOTS ? stub_slot : -1);
	if (r != SHADOW_DONE)
		return r; /* the frame rests, as all others will */
	if (kind == SHADOW_AREA_ROOTS && !page->live[stub_slot])
		page->live[stub_slot] = maddr_raw(sh->stub_pdpt) | PTE_P | PTE_W | PTE_A;
	area->in_use++;
	*ret_page = page;
	return SHADOW_DONE;
}

void shadow_pool_give(struct shadow *sh, const struct shadow_page *page, bool alone)
{
	struct shadow_area *area = &sh->area[kind_of(page)];

	area->in_use--;
	if (alone)
		area->used[area->nr_used++] = page - sh->pages;
}
