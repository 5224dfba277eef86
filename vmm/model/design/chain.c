/* SPDX-License-Identifier: MIT */
/*
 * A hashed table with chains: the first entry of a chain stands in the table, the others behind it in frames of their
 * own. A hit reads 1 + load/2 entries on average. Entries have 32 bytes, as Itanium's long format.
 *
 *     table[hash] --> tag, leaf, next --> tag, leaf, next --> ...
 *
 * After Huck and Hays, "Architectural support for translation table management in large address space machines",
 * ISCA 1993.
 */
#include <errno.h>
#include <gnomon/addr.h>
#include <stdlib.h>

#include "model/design/designs.h"
#include "model/design/hashed.h"

#define PER_FRAME (PAGE_SIZE / sizeof(struct chained))

struct chained {
	uint64_t tag, leaf;
	uint64_t next; /* address; 0: the last */
	uint64_t spare;
};

struct chain {
	struct hash_table t;
	struct chained *slot;
	uint64_t slots, used;
	/* Behind the table. A frame's last entry is no page's: it names the frame before. */
	struct chained *frame;
	uint64_t in_frame;
	struct chained *free; /* linked by `next` */
};

static struct chained *entry_at(const struct hashed *h, uint64_t address)
{
	return address ? model_memory_at(h->w.memory, address) : NULL;
}

static struct chained *head(const struct chain *c, uint64_t vpn)
{
	return &c->slot[model_mix(vpn) & (c->slots - 1)];
}

static uint64_t chain_find(const struct hashed *h, const struct hash_table *t, uint64_t va, struct model_walk *walk)
{
	const uint64_t vpn = va >> t->shift;
	const struct chained *e = head((const struct chain *)t, vpn);

	for (; e; e = entry_at(h, e->next)) {
		hashed_read(h, t, va, hashed_address(h, e), walk);
		if (e->tag == hashed_tag(vpn))
			return e->leaf;
	}
	return 0;
}

static int chain_create(struct hashed *h, int shift, struct hash_table **ret_table)
{
	struct chain *c = calloc(1, sizeof(*c));
	void *slot;
	int r;

	if (!c)
		return -ENOMEM;
	c->slots = (uint64_t)h->args.value[HASHED_SLOTS];
	r = hashed_array(h, c->slots, sizeof(*c->slot), &slot);
	if (r < 0) {
		free(c);
		return r;
	}
	c->slot = slot;
	*ret_table = &c->t;
	return 0;
}

/* An entry behind the table. */
static int new_entry(struct hashed *h, struct chain *c, struct chained **ret_entry)
{
	if (c->free) {
		*ret_entry = c->free;
		c->free = entry_at(h, c->free->next);
		return 0;
	}
	if (!c->frame || c->in_frame == PER_FRAME - 1) {
		void *frame;
		const int r = hashed_array(h, PER_FRAME, sizeof(*c->frame), &frame);

		if (r < 0)
			return r;
		((struct chained *)frame)[PER_FRAME - 1].next = c->frame ? hashed_address(h, c->frame) : 0;
		c->frame = frame;
		c->in_frame = 0;
	}
	*ret_entry = &c->frame[c->in_frame++];
	return 0;
}

/* Of a page that is not in the table. A new entry comes second: nobody reads to the end of the chain. */
static int add(struct hashed *h, struct chain *c, uint64_t vpn, uint64_t leaf)
{
	struct chained *first = head(c, vpn), *e = first;

	h->usage.insert_refs++;
	if (first->tag) {
		const int r = new_entry(h, c, &e);

		if (r < 0)
			return r;
		e->next = first->next;
		first->next = hashed_address(h, e);
		h->usage.insert_refs++;
	}
	e->tag = hashed_tag(vpn);
	e->leaf = leaf;
	c->used++;
	return 0;
}

static void free_frames(struct hashed *h, struct chained *frame)
{
	while (frame) {
		struct chained *before = entry_at(h, frame[PER_FRAME - 1].next);

		hashed_free_array(h, frame, PER_FRAME, sizeof(*frame));
		frame = before;
	}
}

static int copy(struct hashed *h, struct chain *c, const struct chain *old)
{
	for (uint64_t i = 0; i < old->slots; i++) {
		for (struct chained *e = &old->slot[i]; e && e->tag; e = entry_at(h, e->next)) {
			const int r = add(h, c, e->tag - 1, e->leaf);

			if (r < 0)
				return r;
			h->usage.insert_refs += 2; /* this entry, and the chain's first one */
		}
	}
	return 0;
}

/* The old table is whole until the new one is. */
static int grow(struct hashed *h, struct chain *c)
{
	struct chain old = *c, bigger = {.t = old.t, .slots = 2 * old.slots};
	void *slot;
	int r = hashed_array(h, bigger.slots, sizeof(*c->slot), &slot);

	if (r < 0)
		return r;
	bigger.slot = slot;
	r = copy(h, &bigger, &old);
	*c = r < 0 ? old : bigger;
	if (r < 0)
		old = bigger;
	free_frames(h, old.frame);
	hashed_free_array(h, old.slot, old.slots, sizeof(*old.slot));
	if (r == 0) {
		h->usage.resizes++;
		h->usage.moved += c->used;
	}
	return r;
}

static int chain_insert(struct hashed *h, struct hash_table *t, uint64_t vpn, pte_t leaf)
{
	struct chain *c = (struct chain *)t;
	int r = 0;

	for (struct chained *e = head(c, vpn); e; e = entry_at(h, e->next)) {
		h->usage.insert_refs++;
		if (e->tag == hashed_tag(vpn)) {
			e->leaf = pte_raw(leaf);
			h->usage.insert_refs++;
			return 0;
		}
	}
	if (c->used + 1 > h->args.value[HASHED_LOAD] * c->slots)
		r = grow(h, c);
	if (r == 0)
		r = add(h, c, vpn, pte_raw(leaf));
	h->usage.pages += r == 0;
	return r;
}

/* The table's own entry takes what stands behind it. */
static uint64_t chain_remove(struct hashed *h, struct hash_table *t, uint64_t vpn)
{
	struct chain *c = (struct chain *)t;
	struct chained *e = head(c, vpn), *before = NULL, *unused;
	uint64_t was;

	for (h->usage.remove_refs++; e && e->tag != hashed_tag(vpn); h->usage.remove_refs += !!e) {
		before = e;
		e = entry_at(h, e->next);
	}
	if (!e)
		return 0;
	was = e->leaf;
	unused = before ? e : entry_at(h, e->next);
	h->usage.remove_refs++;
	if (before)
		before->next = e->next;
	else
		*e = unused ? *unused : (struct chained){0};
	if (unused) {
		*unused = (struct chained){.next = c->free ? hashed_address(h, c->free) : 0};
		c->free = unused;
		h->usage.remove_refs++;
	}
	c->used--;
	return was;
}

static const struct hashed_ops chain_ops = {
    .create = chain_create, .insert = chain_insert, .remove = chain_remove, .find = chain_find};

const struct model_design model_design_chain = {
    .name = "chain",
    .what = "hashed table with chains",
    .sharing = HASHED_SHARING,
    .param = {[HASHED_LOAD] = {"load", "the load limit", 0.1, 8, 1}, [HASHED_SLOTS] = HASHED_SLOTS_PARAM},
    .check = hashed_check,
    .with = &chain_ops,
    .create = hashed_create,
};
