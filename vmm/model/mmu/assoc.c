/* SPDX-License-Identifier: MIT */
#include "model/mmu/assoc.h"

#include <emmintrin.h>
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

static uint32_t tag_of(uint64_t key)
{
	return (uint32_t)(key ^ key >> 32);
}

int assoc_init(struct assoc *a, const struct assoc_shape *shape)
{
	size_t places;

	*a = (struct assoc){.shape = *shape};
	BUG_ON(assoc_shape_fault(shape));
	if (!shape->entries)
		return 0;
	a->sets = shape->entries / shape->ways;
	a->stride = (shape->ways + 3) / 4 * 4;
	places = (size_t)a->sets * a->stride;
	a->tag = malloc(places * sizeof(*a->tag));
	a->key = malloc(places * sizeof(*a->key));
	a->value = malloc(places * sizeof(*a->value));
	a->used = shape->policy == ASSOC_PLRU ? calloc(a->sets, sizeof(*a->used)) : NULL;
	if (!a->tag || !a->key || !a->value || (shape->policy == ASSOC_PLRU && !a->used)) {
		assoc_destroy(a);
		return -ENOMEM;
	}
	memset(a->key, 0xff, places * sizeof(*a->key));
	memset(a->tag, 0, places * sizeof(*a->tag)); /* of EMPTY */
	return 0;
}

void assoc_destroy(struct assoc *a)
{
	free(a->tag);
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

/* Of the set whose places begin at `first`; `ways`: it is not there. */
static uint32_t find(const struct assoc *a, size_t first, uint64_t key)
{
	const __m128i wanted = _mm_set1_epi32((int)tag_of(key));

	for (uint32_t way = 0; way < a->shape.ways; way += 4) {
		const __m128i here = _mm_loadu_si128((const __m128i *)(a->tag + first + way));
		unsigned equal = (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi32(here, wanted));

		for (; equal; equal &= ~(15u << (__builtin_ctz(equal) & ~3))) {
			const uint32_t at = way + (uint32_t)__builtin_ctz(equal) / 4;

			if (a->key[first + at] == key)
				return at;
		}
	}
	return a->shape.ways;
}

static uint32_t victim(const struct assoc *a, uint32_t set)
{
	const uint32_t empty = find(a, (size_t)set * a->stride, EMPTY);

	if (empty < a->shape.ways)
		return empty;
	/* One way alone is always the victim; of several, one is not marked. */
	return a->shape.ways == 1 ? 0 : (uint32_t)__builtin_ctzll(~a->used[set]);
}

static void put(struct assoc *a, size_t at, uint64_t key, uint64_t value)
{
	a->tag[at] = tag_of(key);
	a->key[at] = key;
	a->value[at] = value;
}

/* Of LRU: what stands before `way` moves back by one, and the key comes first. */
static void move_to_front(struct assoc *a, size_t first, uint32_t way, uint64_t key, uint64_t value)
{
	memmove(a->tag + first + 1, a->tag + first, way * sizeof(*a->tag));
	memmove(a->key + first + 1, a->key + first, way * sizeof(*a->key));
	memmove(a->value + first + 1, a->value + first, way * sizeof(*a->value));
	put(a, first, key, value);
}

bool assoc_look_up(struct assoc *a, uint64_t key, uint64_t *ret_value)
{
	uint32_t set, way;
	size_t first;

	if (!a->sets)
		return false;
	set = set_of(a, key);
	first = (size_t)set * a->stride;
	way = find(a, first, key);
	if (way == a->shape.ways)
		return false;
	if (ret_value)
		*ret_value = a->value[first + way];
	if (a->shape.policy == ASSOC_PLRU)
		mark(a, set, way);
	else if (way)
		move_to_front(a, first, way, key, a->value[first + way]);
	return true;
}

void assoc_insert(struct assoc *a, uint64_t key, uint64_t value)
{
	uint32_t set, way;

	if (!a->sets)
		return;
	set = set_of(a, key);
	if (a->shape.policy == ASSOC_LRU) {
		move_to_front(a, (size_t)set * a->stride, a->shape.ways - 1, key, value);
		return;
	}
	way = victim(a, set);
	put(a, (size_t)set * a->stride + way, key, value);
	mark(a, set, way);
}

void assoc_remove(struct assoc *a, uint64_t key)
{
	uint32_t set, way;
	size_t first;

	if (!a->sets)
		return;
	set = set_of(a, key);
	first = (size_t)set * a->stride;
	way = find(a, first, key);
	if (way == a->shape.ways)
		return;
	if (a->shape.policy == ASSOC_PLRU)
		a->used[set] &= ~(1ull << way);
	for (; a->shape.policy == ASSOC_LRU && way + 1 < a->shape.ways; way++)
		put(a, first + way, a->key[first + way + 1], a->value[first + way + 1]);
	put(a, first + way, EMPTY, 0);
}

bool assoc_touch(struct assoc *a, uint64_t key)
{
	if (assoc_look_up(a, key, NULL))
		return true;
	assoc_insert(a, key, 0);
	return false;
}
