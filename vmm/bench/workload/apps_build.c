/* SPDX-License-Identifier: MIT */
#include "bench/workload/apps_build.h"

#include <string.h>

#include "../guest/chase_core.h"

#define FANOUT      (BTREE_KEYS + 1)
#define MOST_LEVELS 16

static void fill_words(uint64_t *word, uint64_t words)
{
	for (uint64_t i = 0; i < words; i++)
		word[i] = i;
}

/* ---- the tree: from leaves to root, all nodes full but the last of a level ---- */

struct tree {
	struct btree_node *node;
	uint64_t slots, step; /* for nodes; each node in its order lies `step` slots on */
	uint32_t levels;
	uint64_t nr[MOST_LEVELS], before[MOST_LEVELS]; /* nodes of a level, and of those below; leaves are level 0 */
};

/* Nodes of a tree with so many leaves. */
static uint64_t lay_out(struct tree *tree, uint64_t leaves)
{
	uint64_t all = leaves;

	tree->nr[0] = leaves;
	tree->before[0] = 0;
	for (tree->levels = 1; tree->nr[tree->levels - 1] > 1; tree->levels++) {
		tree->before[tree->levels] = all;
		tree->nr[tree->levels] = (tree->nr[tree->levels - 1] + FANOUT - 1) / FANOUT;
		all += tree->nr[tree->levels];
	}
	return all;
}

static uint64_t common_divisor(uint64_t a, uint64_t b)
{
	while (b) {
		const uint64_t rest = a % b;

		a = b;
		b = rest;
	}
	return a;
}

/* Neighbours in the tree lie apart, as in one that grew. Slot 0 is the head's. */
static uint32_t slot_of(const struct tree *tree, uint32_t level, uint64_t i)
{
	return 1 + (tree->before[level] + i) * tree->step % tree->slots;
}

static void build_leaf(const struct tree *tree, uint64_t i)
{
	struct btree_node *leaf = &tree->node[slot_of(tree, 0, i)];

	leaf->nr = BTREE_KEYS;
	for (uint32_t k = 0; k < BTREE_KEYS; k++) {
		leaf->key[k] = i * BTREE_KEYS + k;
		leaf->child[k] = (uint32_t)leaf->key[k];
	}
}

/* `leaves`: below one node of the level underneath, when that is full. */
static void build_inner(const struct tree *tree, uint32_t level, uint64_t i, uint64_t leaves)
{
	struct btree_node *node = &tree->node[slot_of(tree, level, i)];
	const uint64_t first = i * FANOUT, below = tree->nr[level - 1];
	const uint32_t children = below - first < FANOUT ? below - first : FANOUT;

	node->nr = children - 1;
	for (uint32_t c = 0; c < children; c++)
		node->child[c] = slot_of(tree, level - 1, first + c);
	for (uint32_t k = 0; k < node->nr; k++)
		node->key[k] = (first + k + 1) * leaves * BTREE_KEYS;
}

static void build_tree(void *base, uint64_t bytes)
{
	struct tree tree = {.node = base, .slots = bytes / sizeof(*tree.node) - 1};
	uint64_t leaves = tree.slots, nodes, below = 1;
	struct btree_head *head = base;

	while ((nodes = lay_out(&tree, leaves)) > tree.slots)
		leaves -= nodes - tree.slots;
	tree.step = tree.slots / 8 * 5 + 1;
	while (common_divisor(tree.step, tree.slots) != 1)
		tree.step++;
	memset(base, 0, bytes);
	for (uint64_t i = 0; i < leaves; i++)
		build_leaf(&tree, i);
	for (uint32_t level = 1; level < tree.levels; level++, below *= FANOUT)
		for (uint64_t i = 0; i < tree.nr[level]; i++)
			build_inner(&tree, level, i, below);
	head->keys = leaves * BTREE_KEYS;
	head->levels = tree.levels;
	head->root = slot_of(&tree, tree.levels - 1, 0);
}

/* ---- relations ---- */

static void build_relations(struct join_tuple *table, uint64_t slots, uint64_t seed)
{
	const uint64_t keys = slots / 2;
	uint64_t random = seed * 2 + 1;

	memset(table, 0, slots * sizeof(*table));
	for (uint64_t key = 1; key <= keys; key++) {
		uint64_t slot = join_hash(key, slots);

		while (table[slot].key)
			slot = slot + 1 < slots ? slot + 1 : 0;
		table[slot] = (struct join_tuple){key, key * 3};
	}
	for (uint64_t i = 0; i < slots; i++)
		table[slots + i] = (struct join_tuple){1 + app_below(chase_random(&random), keys), i};
}

void app_build(enum arena_app app, void *base, uint64_t bytes, uint64_t seed)
{
	switch (app) {
	case ARENA_BTREE:
		build_tree(base, bytes);
		break;
	case ARENA_JOIN:
		build_relations(base, join_slots(bytes), seed);
		break;
	default:
		fill_words(base, bytes / sizeof(uint64_t));
		break;
	}
}
