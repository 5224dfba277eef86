/* SPDX-License-Identifier: MIT */
#include "share/tree.h"

#include <errno.h>
#include <stdlib.h>

#include "base/bitmap.h"

/* Whole nodes, so that each has its children in a row. */
static uint64_t stored(uint64_t needed)
{
	return (needed + SHARE_FANOUT - 1) / SHARE_FANOUT * SHARE_FANOUT;
}

int share_tree_init(struct share_tree *t, const struct share_hash *hash, uint64_t pages)
{
	uint64_t needed = pages ? pages : 1;

	*t = (struct share_tree){.hash = hash};
	for (int level = 0; level <= SHARE_LEVELS; level++) {
		t->nr[level] = level < SHARE_LEVELS ? stored(needed) : 1;
		BUG_ON(!t->nr[level] || t->nr[level] > share_nodes(level));
		t->node[level] = calloc(t->nr[level], sizeof(*t->node[level]));
		t->stale[level] = calloc(bitmap_words(t->nr[level]), sizeof(*t->stale[level]));
		if (!t->node[level] || !t->stale[level]) {
			share_tree_destroy(t);
			return -ENOMEM;
		}
		for (uint64_t i = 0; i < t->nr[level]; i++)
			t->node[level][i] = hash->absent[level];
		needed = t->nr[level] / SHARE_FANOUT;
	}
	return 0;
}

void share_tree_destroy(struct share_tree *t)
{
	for (int level = 0; level <= SHARE_LEVELS; level++) {
		free(t->node[level]);
		free(t->stale[level]);
	}
	*t = (struct share_tree){0};
}

static bool set(struct share_tree *t, int level, uint64_t index, struct share_digest digest)
{
	struct share_digest *d = &t->node[level][index];

	if (share_digest_equal(d, &digest))
		return false;
	*d = digest;
	if (level < SHARE_LEVELS)
		bitmap_set(t->stale[level + 1], index / SHARE_FANOUT);
	return true;
}

bool share_tree_set(struct share_tree *t, uint64_t page, struct share_digest digest)
{
	BUG_ON(page >= t->nr[0]);
	return set(t, 0, page, digest);
}

uint64_t share_tree_refresh(struct share_tree *t)
{
	uint64_t hashed = 0;

	for (int level = 1; level <= SHARE_LEVELS; level++) {
		for (uint64_t w = 0; w < bitmap_words(t->nr[level]); w++) {
			for (; t->stale[level][w]; t->stale[level][w] &= t->stale[level][w] - 1, hashed++) {
				const uint64_t i = w * BITMAP_WORD + (unsigned)__builtin_ctzll(t->stale[level][w]);

				(void)set(t, level, i,
				          share_hash_node(t->hash, level, &t->node[level - 1][i * SHARE_FANOUT]));
			}
		}
	}
	return hashed;
}

struct share_digest share_tree_get(const struct share_tree *t, int level, uint64_t index)
{
	return index < t->nr[level] ? t->node[level][index] : t->hash->absent[level];
}
