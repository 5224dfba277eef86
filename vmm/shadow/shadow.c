/* SPDX-License-Identifier: MIT */
/* The life of a shadow, and what it asks of the machine. */
#include <stdlib.h>

#include "shadow/internal.h"

static uint64_t ram_frames(const struct guest_mem *mem)
{
	return mem->size >> PAGE_SHIFT;
}

static bool allocate_unsync(struct shadow *sh)
{
	struct shadow_unsync *u = calloc(SHADOW_UNSYNC_MAX, sizeof(*u));

	for (unsigned i = 0; u && i < SHADOW_UNSYNC_MAX; i++)
		sh->unsync[i] = &u[i];
	sh->unsyncs = u;
	return u;
}

static bool allocate(struct shadow *sh)
{
	const uint64_t frames = ram_frames(sh->s2->mem);

	sh->track = calloc(frames, sizeof(*sh->track));
	sh->rmap = calloc(frames, sizeof(struct shadow_ref *));
	sh->rmap_2m = calloc(frames / 512, sizeof(struct shadow_ref *));
	sh->tables_2m = calloc(frames / 512, sizeof(*sh->tables_2m));
	sh->unmapped = calloc(frames, sizeof(*sh->unmapped));
	sh->unmapped_2m = calloc(frames / 512, sizeof(*sh->unmapped_2m));
	return allocate_unsync(sh) && sh->track && sh->rmap && sh->rmap_2m && sh->tables_2m && sh->unmapped &&
	       sh->unmapped_2m && shadow_pool_init(sh);
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
	    .pml4_global_reserved = params->pml4_global_reserved,
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
	shadow_pool_destroy(sh);
	shadow_refs_destroy(sh);
	free(sh->edit);
	free(sh->unsyncs);
	free(sh->track);
	free(sh->rmap);
	free(sh->rmap_2m);
	free(sh->tables_2m);
	free(sh->unmapped);
	free(sh->unmapped_2m);
	free(sh);
}

void shadow_quiesce(struct shadow *sh, struct counters *counters)
{
	sh->ops->quiesce(sh->ctx, counters);
}

uint64_t shadow_flushes(const struct shadow *sh)
{
	return sh->flushes;
}
