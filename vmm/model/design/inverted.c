/* SPDX-License-Identifier: MIT */
/*
 * An inverted table: one entry for each frame of memory, and an array of anchors that a hash leads into.
 *
 *     anchor[hash] --> entry of frame 7: page, leaf, next --> entry of frame 3 --> ...
 *
 * A hit reads the anchor and 1 + load/2 entries on average; load: pages for each anchor. The table has the size of the
 * memory, whatever is mapped, and never grows. A frame has one entry, so one address. Large pages have tables of their
 * own, of large frames.
 *
 * Chang and Mergen, "801 storage: architecture and programming", TOCS 1988.
 */
#include <errno.h>
#include <gnomon/addr.h>
#include <stdlib.h>

#include "model/design/designs.h"
#include "model/design/hashed.h"

#define LOAD 0

struct frame {
	uint64_t tag, leaf;
	uint64_t next; /* address; 0: the last */
	uint64_t spare;
};

struct inverted {
	struct hash_table t;
	struct frame *frame;
	uint64_t frames, anchors;
	uint64_t *anchor; /* address of the first entry; 0: none */
};

static uint64_t *anchor_of(const struct inverted *v, uint64_t vpn)
{
	return &v->anchor[model_mix(vpn) & (v->anchors - 1)];
}

static uint64_t inverted_find(const struct hashed *h, const struct hash_table *t, uint64_t va, struct model_walk *walk)
{
	const uint64_t vpn = va >> t->shift;
	const uint64_t *link = anchor_of((const struct inverted *)t, vpn);

	hashed_read(h, t, va, hashed_address(h, link), walk);
	while (*link) {
		const struct frame *f = model_memory_at(h->w.memory, *link);

		hashed_read(h, t, va, *link, walk);
		if (f->tag == hashed_tag(vpn))
			return f->leaf;
		link = &f->next;
	}
	return 0;
}

static int inverted_create(struct hashed *h, int shift, struct hash_table **ret_table)
{
	struct inverted *v = calloc(1, sizeof(*v));
	void *frame = NULL, *anchor = NULL;
	int r;

	if (!v)
		return -ENOMEM;
	v->frames = h->w.memory->data >> shift;
	v->anchors = 1;
	while (v->anchors * h->args.value[LOAD] < v->frames)
		v->anchors *= 2;
	r = v->frames ? hashed_array(h, v->frames, sizeof(*v->frame), &frame) : -EINVAL;
	if (r == 0)
		r = hashed_array(h, v->anchors, sizeof(*v->anchor), &anchor);
	if (r < 0) {
		free(v);
		return r;
	}
	v->frame = frame;
	v->anchor = anchor;
	*ret_table = &v->t;
	return 0;
}

/* The link that leads to the page's entry, or the last one of its chain. */
static uint64_t *find_link(const struct hashed *h, const struct inverted *v, uint64_t vpn, uint64_t *refs)
{
	uint64_t *link = anchor_of(v, vpn);

	for ((*refs)++; *link; (*refs)++) {
		struct frame *f = model_memory_at(h->w.memory, *link);

		if (f->tag == hashed_tag(vpn))
			break;
		link = &f->next;
	}
	return link;
}

static int inverted_insert(struct hashed *h, struct hash_table *t, uint64_t vpn, pte_t leaf)
{
	struct inverted *v = (struct inverted *)t;
	const uint64_t number = pt_x86_64.address(leaf, 1) >> t->shift;
	struct frame *f;
	uint64_t *link;

	if (number >= v->frames)
		return -EINVAL;
	f = &v->frame[number];
	if (f->tag && f->tag != hashed_tag(vpn))
		return -EEXIST;
	link = find_link(h, v, vpn, &h->usage.insert_refs);
	h->usage.pages += !*link;
	if (*link) {
		struct frame *old = model_memory_at(h->w.memory, *link);

		*link = old->next;
		*old = (struct frame){0};
		h->usage.insert_refs += 2;
	}
	link = anchor_of(v, vpn);
	*f = (struct frame){.tag = hashed_tag(vpn), .leaf = pte_raw(leaf), .next = *link};
	*link = hashed_address(h, f);
	h->usage.insert_refs += 2;
	return 0;
}

static uint64_t inverted_remove(struct hashed *h, struct hash_table *t, uint64_t vpn)
{
	uint64_t *link = find_link(h, (const struct inverted *)t, vpn, &h->usage.remove_refs), was;
	struct frame *f;

	if (!*link)
		return 0;
	f = model_memory_at(h->w.memory, *link);
	was = f->leaf;
	*link = f->next;
	*f = (struct frame){0};
	h->usage.remove_refs += 2;
	return was;
}

static const struct hashed_ops inverted_ops = {
    .create = inverted_create, .insert = inverted_insert, .remove = inverted_remove, .find = inverted_find};

const struct model_design model_design_inverted = {
    .name = "inverted",
    .what = "one entry for each frame of memory, found through hash anchors and chains",
    .sharing = "impossible: a frame has one entry, and so one address",
    .param = {[LOAD] = {"load", "the number of frames for each anchor", 0.25, 64, 1}},
    .with = &inverted_ops,
    .create = hashed_create,
};
