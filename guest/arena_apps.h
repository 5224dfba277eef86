/* SPDX-License-Identifier: MIT */
/*
 * What programs do with memory, in the arena (arena.h): the kernels of applications that the literature measures address
 * translation with. They are one object, which the VMM and the guest have linked in: environments execute the same
 * instructions over the same physical lines.
 *
 *   gups   a random word is read and written (HPC Challenge, RandomAccess); updates do not wait for each other
 *   scan   a page is read from its first word to its last, page after page
 *   btree  a key is looked up from the root to a leaf; each node waits for the one above
 *   join   a tuple is read in order, and looked up in a hash table (the probe of a hash join)
 */
#ifndef GNOMON_ARENA_APPS_H
#define GNOMON_ARENA_APPS_H

#include <stdint.h>

enum arena_app { ARENA_NO_APP, ARENA_GUPS, ARENA_SCAN, ARENA_BTREE, ARENA_JOIN, ARENA_NR_APPS };

/* A node has the keys from key[i] on below child[i + 1], and those before key[0] below child[0]. */
#define BTREE_KEYS 20

struct btree_node {
	uint64_t key[BTREE_KEYS];
	uint32_t child[BTREE_KEYS + 1]; /* numbers of nodes; of a leaf: the value of key[i] in child[i] */
	uint32_t nr;                    /* keys */
	uint32_t unused[2];
};

/* In the place of node 0. */
struct btree_head {
	uint64_t keys; /* 0 to keys - 1 are in the tree */
	uint32_t root, levels;
	uint8_t unused[240];
};
_Static_assert(sizeof(struct btree_node) == 256 && sizeof(struct btree_head) == 256, "a node is four lines");

/* Of both relations. Key 0 is an empty slot of the hash table. */
struct join_tuple {
	uint64_t key, payload;
};

/* The first half of the arena is the hash table, half full, with keys 1 to slots / 2; the second is what is joined. */
static inline uint64_t join_slots(uint64_t bytes)
{
	return bytes / 2 / sizeof(struct join_tuple);
}

/* A number below `n`, for what looks random. */
static inline uint64_t app_below(uint64_t random, uint64_t n)
{
	return (unsigned __int128)random * n >> 64;
}

static inline uint64_t join_hash(uint64_t key, uint64_t slots)
{
	return app_below(key * 0x9e3779b97f4a7c15, slots);
}

/*
 * Does `n` operations of `app` in the arena of `bytes` bytes at `base`, which app_build() has filled
 * (vmm/bench/workload/apps_build.h). Which ones depends on *state, a number that is not 0; it becomes the next state.
 * Returns a sum over what they read.
 */
uint64_t arena_app_run(enum arena_app app, void *base, uint64_t bytes, uint64_t *state, uint64_t n);

#endif
