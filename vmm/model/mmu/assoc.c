/* SPDX-License-Identifier: MIT */
#include "model/mmu/assoc.h"

#include <emmintrin.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "model/mmu/full.h"
#include "model/mmu/order.h"

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

static int init_full(struct assoc *a)
{
	a->full = calloc(a->sets, sizeof(*a->full));
	if (!a->full)
		return -ENOMEM;
	for (uint32_t set = 0; set < a->sets; set++)
		if (full_init(&a->full[set], a->shape.ways) < 0)
			return -ENOMEM;
	return 0;
}

static int init_places(struct assoc *a)
{
	const size_t places = (size_t)a->sets * a->stride;

	a->tag = malloc(places * sizeof(*a->tag));
	a->key = malloc(places * sizeof(*a->key));
	a->value = malloc(places * sizeof(*a->value));
	a->used = malloc(a->sets * sizeof(*a->used));
	if (!a->tag || !a->key || !a->value || !a->used)
		return -ENOMEM;
	memset(a->key, 0xff, places * sizeof(*a->key));
	memset(a->tag, 0, places * sizeof(*a->tag)); /* of EMPTY */
	for (uint32_t set = 0; set < a->sets; set++)
		a->used[set] = a->shape.policy == ASSOC_LRU ? ORDER_FIRST : 0;
	return 0;
}

int assoc_init(struct assoc *a, const struct assoc_shape *shape)
{
	int r;

	*a = (struct assoc){.shape = *shape};
	BUG_ON(assoc_shape_fault(shape));
	if (!shape->entries)
		return 0;
	a->sets = shape->entries / shape->ways;
	a->stride = (shape->ways + 3) / 4 * 4;
	r = shape->policy == ASSOC_LRU && shape->ways > ORDER_MAX_WAYS ? init_full(a) : init_places(a);
	if (r < 0)
		assoc_destroy(a);
	return r;
}

void assoc_destroy(struct assoc *a)
{
	for (uint32_t set = 0; a->full && set < a->sets; set++)
		full_destroy(&a->full[set]);
	free(a->full);
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

/* The way is used now. */
static void mark(struct assoc *a, uint32_t set, uint32_t way)
{
	uint64_t *const used = &a->used[set];
	const uint64_t all = a->shape.ways == 64 ? UINT64_MAX : (1ull << a->shape.ways) - 1;

	if (a->shape.policy == ASSOC_LRU) {
		*used = order_make_newest(*used, way);
		return;
	}
	*used |= 1ull << way;
	if (*used == all)
		*used = 1ull << way;
}

/* Of the set whose places begin at `first`; not below `ways`: it is not there. All tags are compared before one counts. */
static uint32_t find(const struct assoc *a, size_t first, uint64_t key)
{
	const __m128i wanted = _mm_set1_epi32((int)tag_of(key));
	uint64_t equal = 0; /* bit n: of way n */

	for (uint32_t way = 0; way < a->shape.ways; way += 4) {
		const __m128i here = _mm_loadu_si128((const __m128i *)(a->tag + first + way));

		equal |= (uint64_t)(unsigned)_mm_movemask_ps(_mm_castsi128_ps(_mm_cmpeq_epi32(here, wanted))) << way;
	}
	for (; equal; equal &= equal - 1) {
		const uint32_t way = (uint32_t)__builtin_ctzll(equal);

		if (a->key[first + way] == key)
			return way;
	}
	return a->shape.ways;
}

static uint32_t victim(const struct assoc *a, uint32_t set)
{
	uint32_t empty;

	if (a->shape.policy == ASSOC_LRU)
		return order_oldest(a->used[set], a->shape.ways); /* as an empty one is */
	empty = find(a, (size_t)set * a->stride, EMPTY);
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

bool assoc_look_up(struct assoc *a, uint64_t key, uint64_t *ret_value)
{
	uint32_t set, way;
	size_t first;

	if (!a->sets)
		return false;
	set = set_of(a, key);
	if (a->full)
		return full_look_up(&a->full[set], key, ret_value);
	first = (size_t)set * a->stride;
	way = find(a, first, key);
	if (way == a->shape.ways)
		return false;
	if (ret_value)
		*ret_value = a->value[first + way];
	mark(a, set, way);
	return true;
}

void assoc_insert(struct assoc *a, uint64_t key, uint64_t value)
{
	uint32_t set, way;

	if (!a->sets)
		return;
	set = set_of(a, key);
	if (a->full) {
		full_insert(&a->full[set], key, value);
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
	if (a->full) {
		full_remove(&a->full[set], key);
		return;
	}
	first = (size_t)set * a->stride;
	way = find(a, first, key);
	if (way == a->shape.ways)
		return;
	put(a, first + way, EMPTY, 0);
	if (a->shape.policy == ASSOC_LRU)
		a->used[set] = order_make_oldest(a->used[set], way, a->shape.ways);
	else
		a->used[set] &= ~(1ull << way);
}

bool assoc_touch(struct assoc *a, uint64_t key)
{
	if (assoc_look_up(a, key, NULL))
		return true;
	assoc_insert(a, key, 0);
	return false;
}
