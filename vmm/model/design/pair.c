/* SPDX-License-Identifier: MIT */
#include "model/design/pair.h"

#include <errno.h>
#include <gnomon/addr.h>
#include <stdlib.h>

#include "model/design/memory.h"
#include "model/design/random.h"

struct pair {
	struct walker w;
	struct walker *guest, *host;
	struct model_backing backing;
	uint64_t backed; /* the guest's tables below have host pages */
};

static bool has_hole(const struct model_backing *b, uint64_t slice)
{
	return model_mix(slice ^ b->seed) % 1000 < b->per_mille;
}

/* Whether the balloon left this page of the guest whole. */
static bool is_whole(const struct model_backing *b, uint64_t gpa, int shift)
{
	const uint64_t first = gpa >> shift << shift >> 21;

	for (uint64_t i = 0; b->per_mille && shift > 12 && i < 1ull << (shift - 21); i++) {
		if (has_hole(b, first + i))
			return false;
	}
	return true;
}

/* One host page for the guest's byte at `gpa`: the largest that nothing stands against. */
static int back_page(struct pair *p, uint64_t gpa)
{
	for (int shift = p->backing.page_shift; shift >= 12; shift -= 9) {
		uint64_t maddr;
		int r;

		if (!is_whole(&p->backing, gpa, shift))
			continue;
		r = model_memory_page(p->host->memory, shift, &maddr);
		if (r == 0)
			r = walker_map(p->host, gpa >> shift << shift, maddr, shift, PT_RWX);
		if (r != -EEXIST || shift == 12)
			return r;
	}
	return 0;
}

static int back(struct pair *p, uint64_t gpa, uint64_t bytes)
{
	struct model_walk walk;

	for (uint64_t at = gpa; at < gpa + bytes; at = ((at >> walk.page_shift) + 1) << walk.page_shift) {
		walker_walk(p->host, at, &walk);
		if (!walk.mapped) {
			const int r = back_page(p, at);

			if (r < 0)
				return r;
			walker_walk(p->host, at, &walk);
		}
	}
	return 0;
}

static int back_tables(struct pair *p)
{
	const uint64_t top = p->guest->memory->table_top;
	const int r = back(p, p->backed, top - p->backed);

	if (r == 0)
		p->backed = top;
	return r;
}

static int pair_map(struct walker *w, uint64_t va, uint64_t pa, int page_shift, pt_attrs_t attrs)
{
	struct pair *p = (struct pair *)w;
	int r = walker_map(p->guest, va, pa, page_shift, attrs);

	if (r == 0)
		r = back_tables(p);
	if (r == 0)
		r = back(p, pa, 1ull << page_shift);
	return r;
}

static void pair_walk(const struct walker *w, uint64_t va, struct model_walk *walk)
{
	const struct pair *p = (const struct pair *)w;
	struct model_walk guest;
	unsigned kept;

	walker_walk(p->guest, va, &guest);
	kept = model_walk_kept(&guest);
	for (unsigned i = 0; i < kept; i++) {
		struct model_ref *ref = &guest.ref[i];

		walk->of = ref->level ? ref->level : MODEL_OF_HASHED;
		p->host->ops->walk(p->host, ref->address, walk);
		if (!walk->mapped)
			return;
		ref->address = walk->pa;
		model_walk_add(walk, *ref);
	}
	walk->mapped = false;
	walk->page_shift = guest.page_shift;
	if (!guest.mapped)
		return;
	walk->of = 0;
	p->host->ops->walk(p->host, guest.pa, walk);
	if (guest.page_shift < walk->page_shift)
		walk->page_shift = guest.page_shift;
}

static void pair_usage(const struct walker *w, struct model_usage *ret_usage)
{
	const struct pair *p = (const struct pair *)w;
	struct model_usage host;

	walker_usage(p->guest, ret_usage);
	walker_usage(p->host, &host);
	ret_usage->table_bytes += host.table_bytes;
	ret_usage->insert_refs += host.insert_refs;
	ret_usage->resizes += host.resizes;
	ret_usage->moved += host.moved;
}

static void pair_destroy(struct walker *w)
{
	struct pair *p = (struct pair *)w;

	walker_destroy(p->guest);
	walker_destroy(p->host);
	walker_release(w);
}

static const struct walker_ops pair_ops = {pair_map, pair_walk, pair_usage, pair_destroy};

struct walker *pair_guest(const struct walker *w)
{
	return w->ops == &pair_ops ? ((const struct pair *)w)->guest : NULL;
}

struct walker *pair_host(const struct walker *w)
{
	return w->ops == &pair_ops ? ((const struct pair *)w)->host : NULL;
}

int pair_create(struct walker *guest, struct walker *host, const struct model_backing *backing,
                struct walker **ret_walker)
{
	struct pair *p = calloc(1, sizeof(*p));
	int r;

	if (!p) {
		walker_destroy(guest);
		walker_destroy(host);
		return -ENOMEM;
	}
	walker_init(&p->w, &pair_ops, guest->memory, MODEL_GUEST);
	p->w.va_bits = guest->va_bits;
	p->guest = guest;
	p->host = host;
	p->backing = *backing;
	p->backed = guest->memory->data;
	r = back_tables(p);
	if (r < 0) {
		walker_destroy(&p->w);
		return r;
	}
	*ret_walker = &p->w;
	return 0;
}
