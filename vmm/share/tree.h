/* SPDX-License-Identifier: MIT */
/*
 * The Merkle tree over guest memory: a hash for each page, and for each node above. It has the shape of 4-level page
 * tables whatever the sizes of the second stage's pages are.
 *
 *   level 4   root                                    256 TiB
 *   level 3   [ 0 ][ 1 ] ... [511]                    512 GiB each
 *   level 2   [ 0 ][ 1 ] ... [511] ...                1 GiB each
 *   level 1   [ 0 ][ 1 ] ... [511] ...                2 MiB each
 *   level 0   [ 0 ][ 1 ] ... [511] ...                a page each
 *
 *   node [n] of a level has the nodes [512 n] to [512 n + 511] of the level below it
 *
 * What is stored ends with the guest's memory; all behind is absent. A change of pages marks the nodes above as stale,
 * and share_tree_refresh() computes those alone.
 *
 * Locks: one thread at a time.
 */
#ifndef GNOMON_SHARE_TREE_H
#define GNOMON_SHARE_TREE_H

#include "share/digest.h"

struct share_tree {
	const struct share_hash *hash;               /* the owner's */
	uint64_t nr[SHARE_LEVELS + 1];               /* stored nodes of each level */
	struct share_digest *node[SHARE_LEVELS + 1]; /* by level */
	uint64_t *stale[SHARE_LEVELS + 1];           /* a bit for each node; [0] is unused */
};

/* Nodes of a level that the address space has in all, and pages below one of them. */
static inline uint64_t share_nodes(int level)
{
	return 1ull << 9 * (SHARE_LEVELS - level);
}

static inline uint64_t share_span(int level)
{
	return 1ull << 9 * level;
}

/* A tree whose pages, `pages` of them up to 2^36, are all absent. `hash` outlives it. -ENOMEM. */
int must_check share_tree_init(struct share_tree *t, const struct share_hash *hash, uint64_t pages);
/* A struct that is all zero is fine, too. */
void share_tree_destroy(struct share_tree *t);

/* Gives a stored page its hash. True: it had another one. The nodes above are stale until the next refresh. */
bool share_tree_set(struct share_tree *t, uint64_t page, struct share_digest digest);

/* Computes the stale nodes. Returns how many hashes that took. */
uint64_t share_tree_refresh(struct share_tree *t);

/* The hash of a node; past what is stored, of an absent one. `index` is below share_nodes(level). */
struct share_digest share_tree_get(const struct share_tree *t, int level, uint64_t index);

#endif
