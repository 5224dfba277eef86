/* SPDX-License-Identifier: MIT */
#include "arena_apps.h"

#include "chase_core.h"

static uint64_t gups(uint64_t *table, uint64_t words, uint64_t *state, uint64_t n)
{
	uint64_t random = *state, sum = 0;

	for (; n; n--) {
		uint64_t *word = &table[app_below(chase_random(&random), words)];

		sum += *word;
		*word ^= random;
	}
	*state = random;
	return sum;
}

/* The state gives the first page. Pages count by their places: one in another's place shows. */
static uint64_t scan(const uint64_t *memory, uint64_t bytes, uint64_t *state, uint64_t n)
{
	const uint64_t words = CHASE_PAGE / sizeof(*memory), pages = bytes / CHASE_PAGE;
	uint64_t at = *state % pages, sum = 0;

	for (; n; n--) {
		uint64_t part = 0;

		for (const uint64_t *p = memory + at * words; p < memory + (at + 1) * words; p++)
			part += *p;
		sum += part * at;
		at = at + 1 < pages ? at + 1 : 0;
	}
	*state = at + pages;
	return sum;
}

/* How many keys are not above `key`. All are compared: a branch for each would be mispredicted half of the time. */
static uint32_t rank(const struct btree_node *node, uint64_t key)
{
	uint32_t below = 0;

	for (uint32_t i = 0; i < node->nr; i++)
		below += node->key[i] <= key;
	return below;
}

static uint64_t btree(const struct btree_node *node, uint64_t *state, uint64_t n)
{
	const struct btree_head *head = (const void *)node;
	uint64_t random = *state, sum = 0;

	for (; n; n--) {
		const uint64_t key = app_below(chase_random(&random), head->keys);
		uint32_t at = head->root;

		for (uint32_t level = 1; level < head->levels; level++)
			at = node[at].child[rank(&node[at], key)];
		sum += node[at].child[rank(&node[at], key) - 1];
	}
	*state = random;
	return sum;
}

static uint64_t join(const struct join_tuple *table, uint64_t slots, uint64_t *state, uint64_t n)
{
	const struct join_tuple *other = table + slots;
	uint64_t at = *state % slots, sum = 0;

	for (; n; n--) {
		const uint64_t key = other[at].key;
		uint64_t slot = join_hash(key, slots);

		while (table[slot].key != key)
			slot = slot + 1 < slots ? slot + 1 : 0;
		sum += table[slot].payload ^ other[at].payload;
		at = at + 1 < slots ? at + 1 : 0;
	}
	*state = at + slots;
	return sum;
}

uint64_t arena_app_run(enum arena_app app, void *base, uint64_t bytes, uint64_t *state, uint64_t n)
{
	switch (app) {
	case ARENA_GUPS:
		return gups(base, bytes / sizeof(uint64_t), state, n);
	case ARENA_SCAN:
		return scan(base, bytes, state, n);
	case ARENA_BTREE:
		return btree(base, state, n);
	case ARENA_JOIN:
		return join(base, join_slots(bytes), state, n);
	default:
		return 0;
	}
}
