/* SPDX-License-Identifier: MIT */
/*
 * Hashed tables with linear probing; an entry has the leaves of 1, 8 or 16 neighbours.
 *
 *     slot[hash] --> another page's --> another page's --> found       or empty: not mapped
 *
 * A page that is unmapped leaves a tombstone, which an insertion may take. Tombstones count against the load limit; the
 * table is then built anew.
 *
 * A hit reads (1 + 1/(1 - load))/2 entries on average (Knuth, The Art of Computer Programming, vol. 3, 6.4). A single
 * leaf stands beside its tag, 16 bytes; the tag of eight stands in bits that their leaves do not use, so that a probe
 * reads one line (Yaniv and Tsafrir, "Hash, don't cache (the page table)", SIGMETRICS 2016). Clusters are those of
 * Talluri, Hill and Khalidi, "A new page table for 64-bit address spaces", SOSP 1995.
 */
#include <errno.h>
#include <stdlib.h>

#include "model/design/designs.h"
#include "model/design/hashed.h"

/* In place of a tag: a slot whose pages were all unmapped. Probes go on behind it. */
#define TOMBSTONE UINT64_MAX

struct linear {
	struct hash_table t;
	unsigned cluster;            /* leaves of a slot */
	uint64_t slots, used, tombs; /* used: not free, tombstones included */
	uint64_t *tag;               /* of each slot; beside the simulated memory, wherever the design has its bits */
	uint64_t *leaf;              /* cluster of each slot; a single one has its tag behind it */
};

static unsigned words(const struct linear *l)
{
	return l->cluster == 1 ? 2 : l->cluster;
}

/* Cache lines of a slot. */
static unsigned lines(const struct linear *l)
{
	return l->cluster > 8 ? l->cluster / 8 : 1;
}

static uint64_t *leaf_at(const struct linear *l, uint64_t slot, uint64_t vpn)
{
	return &l->leaf[slot * words(l) + vpn % l->cluster];
}

static uint64_t home(const struct linear *l, uint64_t vpn)
{
	return model_mix(vpn / l->cluster) & (l->slots - 1);
}

static bool is_end(const struct linear *l, uint64_t slot, uint64_t vpn)
{
	return !l->tag[slot] || l->tag[slot] == hashed_tag(vpn / l->cluster);
}

static uint64_t linear_find(const struct hashed *h, const struct hash_table *t, uint64_t va, struct model_walk *walk)
{
	const struct linear *l = (const struct linear *)t;
	const uint64_t vpn = va >> t->shift;
	uint64_t slot = home(l, vpn);

	for (;; slot = (slot + 1) & (l->slots - 1)) {
		hashed_read(h, t, va, hashed_address(h, leaf_at(l, slot, vpn)), walk);
		if (is_end(l, slot, vpn))
			return *leaf_at(l, slot, vpn);
	}
}

/* The slot that the page has, or is to have: the first tombstone on the way, or the free one at its end. */
static uint64_t find_slot(const struct linear *l, uint64_t vpn, uint64_t *refs)
{
	uint64_t slot = home(l, vpn), tomb = UINT64_MAX;

	for ((*refs)++; !is_end(l, slot, vpn); (*refs)++) {
		if (l->tag[slot] == TOMBSTONE && tomb == UINT64_MAX)
			tomb = slot;
		slot = (slot + 1) & (l->slots - 1);
	}
	return l->tag[slot] || tomb == UINT64_MAX ? slot : tomb;
}

static int allocate(struct hashed *h, struct linear *l)
{
	void *leaf;
	int r;

	l->tag = calloc(l->slots, sizeof(*l->tag));
	if (!l->tag)
		return -ENOMEM;
	r = hashed_array(h, l->slots, words(l) * sizeof(*l->leaf), &leaf);
	if (r < 0)
		free(l->tag);
	else
		l->leaf = leaf;
	return r;
}

static int linear_create(struct hashed *h, int shift, struct hash_table **ret_table)
{
	struct linear *l = calloc(1, sizeof(*l));
	int r;

	if (!l)
		return -ENOMEM;
	l->t.shift = shift;
	l->cluster = h->args.number ? h->args.number : 1;
	l->slots = (uint64_t)h->args.value[HASHED_SLOTS];
	r = allocate(h, l);
	if (r < 0) {
		free(l);
		return r;
	}
	*ret_table = &l->t;
	return 0;
}

static void take_slot(struct linear *l, uint64_t slot, uint64_t vpn)
{
	if (l->tag[slot] == TOMBSTONE)
		l->tombs--;
	else
		l->used++;
	l->tag[slot] = hashed_tag(vpn / l->cluster);
}

/* Anew, without tombstones: twice as large, if it is not them that fill it. */
static int grow(struct hashed *h, struct linear *l)
{
	const struct linear old = *l;
	struct linear bigger = old;
	int r;

	if (2 * (old.used - old.tombs + 1) > h->args.value[HASHED_LOAD] * old.slots)
		bigger.slots = 2 * old.slots;
	bigger.used = bigger.tombs = 0;
	r = allocate(h, &bigger);
	if (r < 0)
		return r;
	for (uint64_t i = 0; i < old.slots; i++) {
		if (old.tag[i] && old.tag[i] != TOMBSTONE) {
			const uint64_t vpn = (old.tag[i] - 1) * old.cluster;
			const uint64_t slot = find_slot(&bigger, vpn, &h->usage.insert_refs);

			take_slot(&bigger, slot, vpn);
			for (unsigned j = 0; j < old.cluster; j++)
				*leaf_at(&bigger, slot, vpn + j) = *leaf_at(&old, i, vpn + j);
			h->usage.insert_refs += 2 * lines(l);
		}
	}
	h->usage.resizes++;
	h->usage.moved += bigger.used;
	hashed_free_array(h, old.leaf, old.slots, words(&old) * sizeof(*old.leaf));
	free(old.tag);
	*l = bigger;
	return 0;
}

static int linear_insert(struct hashed *h, struct hash_table *t, uint64_t vpn, pte_t leaf)
{
	struct linear *l = (struct linear *)t;
	uint64_t slot = find_slot(l, vpn, &h->usage.insert_refs);

	if (!l->tag[slot] && l->used + 1 > h->args.value[HASHED_LOAD] * l->slots) {
		const int r = grow(h, l);

		if (r < 0)
			return r;
		slot = find_slot(l, vpn, &h->usage.insert_refs);
	}
	if (!l->tag[slot] || l->tag[slot] == TOMBSTONE)
		take_slot(l, slot, vpn);
	h->usage.pages += !*leaf_at(l, slot, vpn);
	*leaf_at(l, slot, vpn) = pte_raw(leaf);
	h->usage.insert_refs++;
	return 0;
}

static uint64_t linear_remove(struct hashed *h, struct hash_table *t, uint64_t vpn)
{
	struct linear *l = (struct linear *)t;
	const uint64_t slot = find_slot(l, vpn, &h->usage.remove_refs);
	uint64_t *leaf = leaf_at(l, slot, vpn), was = *leaf, any = 0;

	if (l->tag[slot] != hashed_tag(vpn / l->cluster) || !was)
		return 0;
	*leaf = 0;
	h->usage.remove_refs++;
	for (unsigned i = 0; i < l->cluster; i++)
		any |= l->leaf[slot * words(l) + i];
	if (!any) {
		l->tag[slot] = TOMBSTONE;
		l->tombs++;
	}
	return was;
}

static void linear_destroy(struct hash_table *t)
{
	free(((struct linear *)t)->tag);
}

static const struct hashed_ops linear_ops = {.create = linear_create,
                                             .insert = linear_insert,
                                             .remove = linear_remove,
                                             .find = linear_find,
                                             .destroy = linear_destroy};

const struct model_design model_design_linear = {
    .name = "linear",
    .what = "hashed table with linear probing",
    .sharing = HASHED_SHARING,
    .param = {[HASHED_LOAD] = {"load", "the load limit", 0.1, 0.95, 0.7}, [HASHED_SLOTS] = HASHED_SLOTS_PARAM},
    .check = hashed_check,
    .with = &linear_ops,
    .create = hashed_create,
};

const struct model_design model_design_cluster = {
    .name = "cluster",
    .what = "hashed table with linear probing, an entry for this many neighbours",
    .sharing = HASHED_SHARING,
    .number = "pages of an entry",
    .numbers = {8, 16},
    .param = {[HASHED_LOAD] = {"load", "the load limit", 0.1, 0.95, 0.7}, [HASHED_SLOTS] = HASHED_SLOTS_PARAM},
    .check = hashed_check,
    .with = &linear_ops,
    .create = hashed_create,
};
