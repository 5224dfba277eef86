/* SPDX-License-Identifier: MIT */
/*
 * Life of a shadow and of its table frames. A frame is handed out once: after it was
 * linked, KVM may remember its content whatever the VMM stores there, so a used frame
 * rests until the whole pool is recycled.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "shadow/shadow.h"

const struct shadow_opt_desc shadow_opt_desc[SHADOW_OPTS] = {
	{SHADOW_OPT_ROOT_CACHE, "root-cache", "keep the shadow over CR3 loads and INVLPG: it is in step with the tables"},
	{SHADOW_OPT_EMULATE_UPDATE, "emulate-update",
	 "after an emulated table write change just the entries concerned, through the stub"},
	{SHADOW_OPT_FLOOD, "flood", "a table written again and again without being used is forgotten: it is data by now"},
	{SHADOW_OPT_PREFETCH, "prefetch", "on a fault fill every entry of the guest's leaf table whose page was accessed"},
};

int shadow_opt_parse(const char *list, unsigned *ret_opts)
{
	unsigned opts = 0;

	if (!*list)
		return -EINVAL;
	if (strcmp(list, "none") == 0) {
		*ret_opts = 0;
		return 0;
	}
	while (*list) {
		size_t len = strcspn(list, ",");
		unsigned found = 0;

		for (int i = 0; i < SHADOW_OPTS; i++) {
			const char *name = shadow_opt_desc[i].name;

			if ((len == 3 && strncmp(list, "all", len) == 0) ||
			    (strlen(name) == len && strncmp(list, name, len) == 0))
				found |= shadow_opt_desc[i].opt;
		}
		if (!found)
			return -EINVAL;
		opts |= found;
		list += len;
		list += *list == ',';
	}
	*ret_opts = opts;
	return 0;
}

static uint64_t ram_frames(const struct guest_mem *mem)
{
	return mem->size >> PAGE_SHIFT;
}

int64_t shadow_frame(const struct shadow *sh, gfn_t gfn)
{
	uint64_t before = 0;

	for (int i = 0; i < sh->mem->nr_regions; i++) {
		const struct mem_region *r = &sh->mem->region[i];
		uint64_t n = gfn.raw - (maddr_raw(r->base) >> PAGE_SHIFT);

		if (n < r->size >> PAGE_SHIFT)
			return before + n;
		before += r->size >> PAGE_SHIFT;
	}
	return -1;
}

bool shadow_is_tracked(const struct shadow *sh, gfn_t gfn)
{
	int64_t n = shadow_frame(sh, gfn);

	return n >= 0 && sh->tracked[n];
}

int shadow_init(struct shadow *sh, const struct guest_mem *mem, uint8_t *pool, maddr_t pool_base, unsigned nr_frames)
{
	*sh = (struct shadow){.mem = mem, .pool = pool, .pool_base = pool_base, .nr_frames = nr_frames};
	sh->pages = calloc(nr_frames, sizeof(*sh->pages));
	sh->tracked = calloc(ram_frames(mem), sizeof(*sh->tracked));
	sh->rmap = calloc(ram_frames(mem), sizeof(struct shadow_ref *));
	if (!sh->pages || !sh->tracked || !sh->rmap) {
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
	free(sh->pages);
	free(sh->tracked);
	free(sh->rmap);
	*sh = (struct shadow){0};
}

void shadow_drop_all(struct shadow *sh)
{
	sh->ops->quiesce(sh->ctx);
	counter_inc(sh->counters, CTR_SHADOW_DROPS);
	for (unsigned b = 0; b < SHADOW_BUCKETS; b++) {
		for (struct shadow_page *p = sh->bucket[b], *next; p; p = next) {
			next = p->hash_next;
			shadow_page_forget(sh, p);
		}
		sh->bucket[b] = NULL;
	}
	BUG_ON(sh->nr_in_use);
	sh->nr_edits = 0;
	sh->generation++;
	sh->flushes++;
}

bool shadow_pool_recycle(struct shadow *sh)
{
	shadow_drop_all(sh);
	counter_inc(sh->counters, CTR_SHADOW_RECYCLES);
	memset(sh->pool, 0, (size_t)sh->next_fresh * PAGE_SIZE);
	sh->next_fresh = 0;
	return sh->ops->recycle_pool(sh->ctx) == 0;
}
