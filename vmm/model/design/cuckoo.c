/* SPDX-License-Identifier: MIT */
/*
 * A cuckoo table of 2 or 3 ways that grows gradually.
 *
 *     way 1: slot[hash1]    way 2: slot[hash2]    way 3: slot[hash3]       a page is in one of them
 *
 *     while it grows, in each way:    | moved | not yet |        hash below `moved`: look in the bigger array
 *                                     | bigger, twice as long |
 *
 * A walk reads at most as many entries as there are ways, also while the table grows. Ways are tried in their order
 * here; hardware reads them at once.
 *
 * Pagh and Rodler, "Cuckoo hashing", ESA 2001; as page tables, with the gradual resize: Skarlatos, Kokolis, Xu and
 * Torrellas, "Elastic cuckoo page tables", ASPLOS 2020.
 */
#include <errno.h>
#include <stdlib.h>

#include "model/design/designs.h"
#include "model/design/hashed.h"

#define WAYS_MAX  3
#define KICKS_MAX 64 /* pages that one insertion may drive out */
#define STEPS     4  /* slots of each way that move with an insertion */
#define GROWTHS   3  /* tries to find room by growing */

struct slot {
	uint64_t tag, leaf;
};

struct cuckoo {
	struct hash_table t;
	struct hashed *h;
	unsigned ways;
	uint64_t slots; /* of a way */
	uint64_t used, random;
	struct slot *way[WAYS_MAX], *bigger[WAYS_MAX]; /* bigger: NULL, unless the table grows */
	uint64_t moved[WAYS_MAX];
};

static struct slot *slot_of(const struct cuckoo *c, unsigned way, uint64_t tag)
{
	const uint64_t hash = model_mix(tag ^ (way + 1) * 0xd6e8feb86659fd93ull);
	const uint64_t i = hash & (c->slots - 1);

	return c->bigger[way] && i < c->moved[way] ? &c->bigger[way][hash & (2 * c->slots - 1)] : &c->way[way][i];
}

static uint64_t cuckoo_find(const struct hashed *h, const struct hash_table *t, uint64_t va, struct model_walk *walk)
{
	const struct cuckoo *c = (const struct cuckoo *)t;
	const uint64_t tag = hashed_tag(va >> t->shift);

	for (unsigned way = 0; way < c->ways; way++) {
		const struct slot *s = slot_of(c, way, tag);

		hashed_read(h, t, va, hashed_address(h, s), walk);
		if (s->tag == tag)
			return s->leaf;
	}
	return 0;
}

static void swap(struct slot *a, struct slot *b)
{
	const struct slot was = *a;

	*a = *b;
	*b = was;
}

/* Puts it into this way, and whom it drives out into another. -ENOSPC: all is as before. */
static int place(struct cuckoo *c, struct slot new, unsigned way)
{
	struct slot *path[KICKS_MAX];
	int n;

	for (n = 0; n < KICKS_MAX; n++) {
		path[n] = slot_of(c, way, new.tag);
		swap(path[n], &new);
		c->h->usage.insert_refs += 2;
		if (!new.tag)
			return 0;
		way = (way + 1 + model_random_below(&c->random, c->ways - 1)) % c->ways;
	}
	while (n > 0)
		swap(path[--n], &new);
	return -ENOSPC;
}

/* The next slot of a way moves into the bigger array. */
static int move_slot(struct cuckoo *c, unsigned way)
{
	struct slot *from = &c->way[way][c->moved[way]];
	const struct slot page = *from;
	int r;

	c->h->usage.insert_refs++;
	c->moved[way]++;
	if (!page.tag)
		return 0;
	*from = (struct slot){0};
	r = place(c, page, way);
	if (r < 0) {
		c->moved[way]--;
		*from = page;
		return r;
	}
	c->h->usage.moved++;
	return 0;
}

static void finish(struct cuckoo *c)
{
	for (unsigned way = 0; way < c->ways; way++) {
		hashed_free_array(c->h, c->way[way], c->slots, sizeof(struct slot));
		c->way[way] = c->bigger[way];
		c->bigger[way] = NULL;
		c->moved[way] = 0;
	}
	c->slots *= 2;
}

/* Of the way that lags behind: a failure may leave the others one slot ahead. */
static uint64_t moved_least(const struct cuckoo *c)
{
	uint64_t least = c->moved[0];

	for (unsigned way = 1; way < c->ways; way++)
		least = c->moved[way] < least ? c->moved[way] : least;
	return least;
}

static int move_slots(struct cuckoo *c, uint64_t steps)
{
	for (uint64_t least = moved_least(c); steps-- && least < c->slots; least++) {
		for (unsigned way = 0; way < c->ways; way++) {
			const int r = c->moved[way] == least ? move_slot(c, way) : 0;

			if (r < 0)
				return r;
		}
	}
	if (moved_least(c) == c->slots)
		finish(c);
	return 0;
}

static int allocate(struct cuckoo *c, struct slot *ways[], uint64_t slots)
{
	for (unsigned way = 0; way < c->ways; way++) {
		void *array;
		const int r = hashed_array(c->h, slots, sizeof(struct slot), &array);

		if (r < 0) {
			while (way--) {
				hashed_free_array(c->h, ways[way], slots, sizeof(struct slot));
				ways[way] = NULL;
			}
			return r;
		}
		ways[way] = array;
	}
	return 0;
}

static int begin_to_grow(struct cuckoo *c)
{
	const int r = allocate(c, c->bigger, 2 * c->slots);

	if (r == 0)
		c->h->usage.resizes++;
	return r;
}

static int cuckoo_create(struct hashed *h, int shift, struct hash_table **ret_table)
{
	struct cuckoo *c = calloc(1, sizeof(*c));
	int r;

	if (!c)
		return -ENOMEM;
	c->h = h;
	c->ways = h->args.number;
	c->slots = (uint64_t)h->args.value[HASHED_SLOTS];
	r = allocate(c, c->way, c->slots);
	if (r < 0) {
		free(c);
		return r;
	}
	*ret_table = &c->t;
	return 0;
}

/* Where the page is. NULL: nowhere. */
static struct slot *find_slot(const struct cuckoo *c, uint64_t tag, uint64_t *refs)
{
	for (unsigned way = 0; way < c->ways; way++) {
		struct slot *s = slot_of(c, way, tag);

		(*refs)++;
		if (s->tag == tag)
			return s;
	}
	return NULL;
}

static int place_anywhere(struct cuckoo *c, struct slot new)
{
	int r = place(c, new, model_random_below(&c->random, c->ways));

	for (int growths = 0; r == -ENOSPC && growths < GROWTHS; growths++) {
		r = c->bigger[0] ? move_slots(c, c->slots) : begin_to_grow(c);
		if (r == 0)
			r = place(c, new, model_random_below(&c->random, c->ways));
	}
	return r;
}

static int cuckoo_insert(struct hashed *h, struct hash_table *t, uint64_t vpn, pte_t leaf)
{
	struct cuckoo *c = (struct cuckoo *)t;
	const struct slot new = {hashed_tag(vpn), pte_raw(leaf)};
	struct slot *old = find_slot(c, new.tag, &h->usage.insert_refs);
	int r = 0;

	if (old) {
		*old = new;
		h->usage.insert_refs++;
		return 0;
	}
	if (c->bigger[0])
		r = move_slots(c, STEPS);
	else if (c->used + 1 > h->args.value[HASHED_LOAD] * c->ways * c->slots)
		r = begin_to_grow(c);
	if (r == 0 || r == -ENOSPC)
		r = place_anywhere(c, new);
	if (r == 0) {
		c->used++;
		h->usage.pages++;
	}
	return r;
}

static uint64_t cuckoo_remove(struct hashed *h, struct hash_table *t, uint64_t vpn)
{
	struct cuckoo *c = (struct cuckoo *)t;
	struct slot *s = find_slot(c, hashed_tag(vpn), &h->usage.remove_refs);
	const uint64_t was = s ? s->leaf : 0;

	if (s) {
		*s = (struct slot){0};
		h->usage.remove_refs++;
		c->used--;
	}
	return was;
}

static const struct hashed_ops cuckoo_ops = {
    .create = cuckoo_create, .insert = cuckoo_insert, .remove = cuckoo_remove, .find = cuckoo_find};

static const char *check(const struct model_args *args)
{
	if (args->number == 2 && args->value[HASHED_LOAD] > 0.49)
		return "room for half as many pages as slots with 2 ways: its load limit is 0.49 at most";
	return hashed_check(args);
}

const struct model_design model_design_cuckoo = {
    .name = "cuckoo",
    .what = "cuckoo table of this many ways that grows gradually",
    .sharing = HASHED_SHARING,
    .number = "ways",
    .numbers = {2, 3},
    .param = {[HASHED_LOAD] = {"load", "the load limit", 0.1, 0.9, 0.45}, [HASHED_SLOTS] = HASHED_SLOTS_PARAM},
    .check = check,
    .with = &cuckoo_ops,
    .create = hashed_create,
};
