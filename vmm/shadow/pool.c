/* SPDX-License-Identifier: MIT */
/*
 * Life of a shadow and of its table frames. After a frame was linked, KVM may remember
 * its content whatever the VMM stores there (hosts' facts, section 2). So there are
 *
 *   fresh frames   never linked since the last recycling: filled by plain stores
 *   used frames    of evicted and zapped pages: what they still hold is changed through the stub, entry by entry
 *   resting ones   of pages that went with a drop, and of old roots: until the whole pool is recycled
 *
 * A root is always a fresh frame, for the stub is reached through it at once; the last part of
 * the pool is kept for roots.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "shadow/shadow.h"

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

	return n >= 0 && sh->track[n].pages && !sh->track[n].unsync;
}

int shadow_init(struct shadow *sh, const struct stage2 *s2, uint8_t *pool, maddr_t pool_base, unsigned nr_frames)
{
	const uint64_t frames = ram_frames(s2->mem);

	*sh = (struct shadow){.s2 = s2, .pool = pool, .pool_base = pool_base, .nr_frames = nr_frames};
	sh->pages = calloc(nr_frames, sizeof(*sh->pages));
	sh->used = calloc(nr_frames, sizeof(*sh->used));
	sh->track = calloc(frames, sizeof(*sh->track));
	sh->rmap = calloc(frames, sizeof(struct shadow_ref *));
	sh->rmap_2m = calloc(frames / 512, sizeof(struct shadow_ref *));
	sh->tables_2m = calloc(frames / 512, sizeof(*sh->tables_2m));
	sh->unmapped = calloc(frames, sizeof(*sh->unmapped));
	sh->unmapped_2m = calloc(frames / 512, sizeof(*sh->unmapped_2m));
	if (!sh->pages || !sh->used || !sh->track || !sh->rmap || !sh->rmap_2m || !sh->tables_2m || !sh->unmapped ||
	    !sh->unmapped_2m) {
		shadow_destroy(sh);
		return -ENOMEM;
	}
	return 0;
}

void shadow_destroy(struct shadow *sh)
{
	for (unsigned i = 0; i < sh->nr_ref_blocks; i++)
		free(sh->ref_blocks[i]);
	free(sh->ref_blocks);
	free(sh->edit);
	free(sh->pages);
	free(sh->used);
	free(sh->track);
	free(sh->rmap);
	free(sh->rmap_2m);
	free(sh->tables_2m);
	free(sh->unmapped);
	free(sh->unmapped_2m);
	*sh = (struct shadow){0};
}

void shadow_drop_all(struct shadow *sh)
{
	sh->ops->quiesce(sh->ctx);
	counter_inc(sh->counters, CTR_SHADOW_DROPS);
	while (sh->oldest)
		shadow_page_forget(sh, sh->oldest);
	BUG_ON(sh->nr_in_use || sh->nr_unsync);
	sh->nr_edits = 0;
	sh->nr_used = 0; /* an edit that would have cleared one is gone */
	sh->generation++;
	sh->flushes++;
}

bool shadow_pool_recycle(struct shadow *sh)
{
	const unsigned linked = sh->next_fresh;

	shadow_drop_all(sh);
	counter_inc(sh->counters, CTR_SHADOW_RECYCLES);
	memset(sh->pool, 0, (size_t)linked * PAGE_SIZE);
	if (sh->ops->recycle_pool(sh->ctx) < 0)
		return false;
	sh->next_fresh = 0;
	return true;
}

/* Frames that only roots may take. */
static unsigned kept_for_roots(const struct shadow *sh)
{
	return sh->nr_frames / 16;
}

static unsigned fresh(const struct shadow *sh)
{
	const unsigned end = sh->nr_frames - kept_for_roots(sh);

	return sh->next_fresh < end ? end - sh->next_fresh : 0;
}

/* Zaps the oldest pages: no other vCPU is in the guest. False: everything was dropped. */
static bool evict(struct shadow *sh, unsigned nr)
{
	for (struct shadow_page *p = sh->oldest, *newer; p && nr; p = newer) {
		newer = p->newer;
		if (p->role.level == 4)
			continue;
		if (!shadow_page_zap(sh, p))
			return false;
		counter_inc(sh->counters, CTR_SHADOW_EVICTIONS);
		nr--;
	}
	return true;
}

bool shadow_pool_reserve(struct shadow *sh, unsigned nr)
{
	if (fresh(sh) >= nr)
		return true;
	/* When most frames are resting, there is little to lose and much to win. */
	if (!(sh->opts & SHADOW_OPT_EMULATE_UPDATE) || (sh->nr_in_use + sh->nr_used) * 2 < sh->nr_frames) {
		(void)shadow_pool_recycle(sh);
		return false;
	}
	/* A CPU may still walk a used frame by what its TLB remembers: before it is given away, everybody flushes. */
	sh->ops->quiesce(sh->ctx);
	sh->flushes++;
	return fresh(sh) + sh->nr_used >= nr || evict(sh, sh->nr_frames / 32 + nr);
}

struct shadow_page *shadow_pool_take(struct shadow *sh, bool root)
{
	struct shadow_page *page;
	unsigned n;

	if (root && sh->next_fresh == sh->nr_frames) {
		(void)shadow_pool_recycle(sh);
		return NULL;
	}
	if (root || fresh(sh)) {
		n = sh->next_fresh++;
	} else {
		BUG_ON(!sh->nr_used);
		n = sh->used[--sh->nr_used];
	}
	page = &sh->pages[n];
	*page = (struct shadow_page){
	    .table = maddr_add(sh->pool_base, n * PAGE_SIZE),
	    .live = (uint64_t *)(void *)(sh->pool + n * PAGE_SIZE),
	};
	for (unsigned i = 0; i < 512; i++)
		if (page->live[i])
			shadow_edit_queue(sh, page, i, (spte_t){0});
	return page;
}

void shadow_pool_give(struct shadow *sh, const struct shadow_page *page)
{
	if (page->role.level < 4)
		sh->used[sh->nr_used++] = page - sh->pages;
}
