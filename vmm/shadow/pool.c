/* SPDX-License-Identifier: MIT */
/*
 * Frames for shadow tables. After a frame was linked, KVM may remember its content whatever the VMM stores there
 * (docs/hosts.md). So there are
 *
 *   fresh frames   never linked since the last recycling: filled by plain stores
 *   used frames    of evicted and zapped pages: what they still hold is changed through the stub, entry by entry
 *   resting ones   of pages that went with a drop: until the whole pool is recycled
 *
 * The last part of the pool is for roots alone. The stub is reached through a root from the moment that CR3 holds it,
 * before any edit is stored: so a frame becomes a root that is fresh, or was one before and holds the stub's slot
 * already.
 */
#include <gnomon/abi.h>
#include <stdlib.h>

#include "shadow/internal.h"

static bool area_init(struct shadow_area *area, unsigned first, unsigned end)
{
	*area = (struct shadow_area){.first = first, .end = end, .next_fresh = first};
	area->used = calloc(end - first, sizeof(*area->used));
	return area->used;
}

bool shadow_pool_init(struct shadow *sh)
{
	const unsigned tables = sh->nr_frames - sh->nr_frames / 8;

	sh->pages = calloc(sh->nr_frames, sizeof(*sh->pages));
	return sh->pages && area_init(&sh->area[SHADOW_AREA_TABLES], 0, tables) &&
	       area_init(&sh->area[SHADOW_AREA_ROOTS], tables, sh->nr_frames);
}

void shadow_pool_destroy(struct shadow *sh)
{
	for (int i = 0; i < SHADOW_AREAS; i++)
		free(sh->area[i].used);
	free(sh->pages);
}

unsigned shadow_pool_fresh(const struct shadow *sh, enum shadow_area_kind kind)
{
	return sh->area[kind].end - sh->area[kind].next_fresh;
}

enum shadow_area_kind shadow_pool_kind(const struct shadow_page *page)
{
	return page->role.level == 4 ? SHADOW_AREA_ROOTS : SHADOW_AREA_TABLES;
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
static struct shadow_page *take_frame(struct shadow *sh, enum shadow_area_kind kind)
{
	struct shadow_area *area = &sh->area[kind];
	const unsigned n = shadow_pool_fresh(sh, kind) ? area->next_fresh++ : area->used[--area->nr_used];
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
	const bool is_fresh = shadow_pool_fresh(sh, kind);
	enum shadow_result r = SHADOW_DONE;
	struct shadow_page *page;

	BUG_ON(!is_fresh && !area->nr_used);
	page = take_frame(sh, kind);
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
	struct shadow_area *area = &sh->area[shadow_pool_kind(page)];

	area->in_use--;
	if (alone)
		area->used[area->nr_used++] = page - sh->pages;
}

void shadow_pool_rest(struct shadow *sh)
{
	for (int i = 0; i < SHADOW_AREAS; i++) {
		BUG_ON(sh->area[i].in_use);
		sh->area[i].nr_used = 0; /* an edit that would have cleared one is gone */
	}
}

const uint64_t *shadow_pool_ptr(const struct shadow *sh, maddr_t at)
{
	const uint64_t offset = maddr_raw(at) - maddr_raw(sh->pool_base);

	return offset < (uint64_t)sh->nr_frames * PAGE_SIZE ? (const void *)(sh->pool + offset) : NULL;
}
