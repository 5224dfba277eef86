/* SPDX-License-Identifier: MIT */
/* Links: each entry that is present stands in one list, of a page's parents or of a frame's leaf mappings. */
#include <stdlib.h>

#include "shadow/internal.h"

#define REFS_PER_BLOCK 1024

static bool more_refs(struct shadow *sh)
{
	struct shadow_ref **blocks = realloc(sh->ref_blocks, (sh->nr_ref_blocks + 1) * sizeof(struct shadow_ref *));
	struct shadow_ref *block;

	if (!blocks)
		return false;
	sh->ref_blocks = blocks;
	block = calloc(REFS_PER_BLOCK, sizeof(*block));
	if (!block)
		return false;
	sh->ref_blocks[sh->nr_ref_blocks++] = block;
	for (int i = 0; i < REFS_PER_BLOCK; i++) {
		block[i].next = sh->free_refs;
		sh->free_refs = &block[i];
	}
	return true;
}

bool shadow_ref_add(struct shadow *sh, struct shadow_ref **list, struct shadow_page *page, unsigned index)
{
	struct shadow_ref *ref;

	if (!sh->free_refs && !more_refs(sh))
		return false;
	ref = sh->free_refs;
	sh->free_refs = ref->next;
	*ref = (struct shadow_ref){.page = page, .index = index, .next = *list};
	*list = ref;
	return true;
}

void shadow_ref_remove(struct shadow *sh, struct shadow_ref **list, const struct shadow_page *page, unsigned index)
{
	for (struct shadow_ref **p = list; *p; p = &(*p)->next) {
		struct shadow_ref *ref = *p;

		if (ref->page == page && ref->index == index) {
			*p = ref->next;
			ref->next = sh->free_refs;
			sh->free_refs = ref;
			return;
		}
	}
	BUG_ON(true);
}

void shadow_refs_destroy(struct shadow *sh)
{
	for (unsigned i = 0; i < sh->nr_ref_blocks; i++)
		free(sh->ref_blocks[i]);
	free(sh->ref_blocks);
}
