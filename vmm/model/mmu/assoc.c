/* SPDX-License-Identifier: MIT */
#include "model/mmu/assoc.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define EMPTY  UINT64_MAX
#define GOLDEN 0x9e3779b97f4a7c15

const char *assoc_shape_fault(const struct assoc_shape *shape)
{
	if (!shape->entries && !shape->ways)
		return NULL;
	if (!shape->ways || shape->ways > ASSOC_MAX_WAYS)
		return "ways are 1 to 4096";
	if (!shape->entries || shape->entries > ASSOC_MAX_ENTRIES)
		return "there are 1 to 67108864 entries";
	if (shape->entries % shape->ways)
		return "the entries are not a multiple of the ways";
	if (shape->policy == ASSOC_PLRU && shape->ways > ASSOC_PLRU_WAYS)
		return "pseudo-LRU has 64 ways at most";
	return NULL;
}

int assoc_init(struct assoc *a, const struct assoc_shape *shape)
{
	*a = (struct assoc){.shape = *shape};
	BUG_ON(assoc_shape_fault(shape));
	if (!shape->entries)
		return 0;
	a->sets = shape->entries / shape->ways;
	a->key = malloc(shape->entries * sizeof(*a->key));
	a->value = malloc(shape->entries * sizeof(*a->value));
	a->used = shape->policy == ASSOC_PLRU ? calloc(a->sets, sizeof(*a->used)) : NULL;
	if (!a->key || !a->value || (shape->policy == ASSOC_PLRU && !a->used)) {
		assoc_destroy(a);
		return -ENOMEM;
	}
	memset(a->key, 0xff, shape->entries * sizeof(*a->key));
	return 0;
}

void assoc_destroy(struct assoc *a)
{
	free(a->key);
	free(a->value);
	free(a->used);
	*a = (struct assoc){0};
}

static uint32_t set_of(const struct assoc *a, uint64_t key)
{
	uint64_t number = key & ASSOC_NUMBER;

	if (a->shape.index == ASSOC_HASH)
		number = number * GOLDEN >> 32;
	return a->sets & (a->sets - 1) ? number % a->sets : number & (a->sets - 1);
}

/* Marks a way as used. */
static void mark(struct assoc *a, uint32_t set, uint32_t way)
{
	const uint64_t all = a->shape.ways == 64 ? UINT64_MAX : (1ull << a->shape.ways) - 1;

	a->used[set] |= 1ull << way;
	if (a->used[set] == all)
		a->used[set] = 1ull << way;
}

static uint32_t victim(const struct assoc *a, uint32_t set)
{
	const uint64_t *key = a->key + (size_t)set * a->shape.ways;

	for (uint32_t way = 0; way < a->shape.ways; way++)
		if (key[way] == EMPTY)
			return way;
	/* One way alone is always the victim; of several, one is not marked. */
	return a->shape.ways == 1 ? 0 : (uint32_t)__builtin_ctzll(~a->used[set]);
}

/* Of LRU: what stands before `way` moves back by one, and the key comes first. */
static void move_to_front(struct assoc *a, uint32_t set, uint32_t way, uint64_t key, uint64_t value)
{
	uint64_t *const k = a->key + (size_t)set * a->shape.ways, *const v = a->value + (size_t)set * a->shape.ways;

	memmove(k + 1, k, way * sizeof(*k));
	memmove(v + 1, v, way * sizeof(*v));
	*k = key;
	*v = value;
}

bool assoc_look_up(struct assoc *a, uint64_t key, uint64_t *ret_value)
{
	const uint32_t set = a->sets ? set_of(a, key) : 0, ways = a->sets ? a->shape.ways : 0;
	const size_t first = (size_t)set * ways;

	for (uint32_t way = 0; way < ways; way++) {
		if (a->key[first + way] != key)
			continue;
		if (ret_value)
			*ret_value = a->value[first + way];
		if (a->shape.policy == ASSOC_PLRU)
			mark(a, set, way);
		else if (way)
			move_to_front(a, set, way, key, a->value[first + way]);
		return true;
	}
	return false;
}

void assoc_insert(struct assoc *a, uint64_t key, uint64_t value)
{
	const uint32_t set = a->sets ? set_of(a, key) : 0;
	uint32_t way;

	if (!a->sets)
		return;
	if (a->shape.policy == ASSOC_LRU) {
		move_to_front(a, set, a->shape.ways - 1, key, value);
		return;
	}
	way = victim(a, set);
	a->key[(size_t)set * a->shape.ways + way] = key;
	a->value[(size_t)set * a->shape.ways + way] = value;
	mark(a, set, way);
}

/* Looks for the key and moves the others back in one go: this is where a simulation spends its time. */
bool assoc_touch(struct assoc *a, uint64_t key)
{
	uint64_t *k, moved = key;

	if (!a->sets)
		return false;
	if (a->shape.policy == ASSOC_PLRU) {
		if (assoc_look_up(a, key, NULL))
			return true;
		assoc_insert(a, key, 0);
		return false;
	}
	k = a->key + (size_t)set_of(a, key) * a->shape.ways;
	for (uint32_t way = 0; way < a->shape.ways; way++) {
		const uint64_t here = k[way];

		k[way] = moved;
		if (here == key)
			return true;
		moved = here;
	}
	return false;
}
