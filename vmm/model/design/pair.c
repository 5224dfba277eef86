/* SPDX-License-Identifier: MIT */
#include "model/design/pair.h"

#include <errno.h>
#include <gnomon/addr.h>
#include <stdlib.h>
#include <string.h>

#include "model/design/memory.h"
#include "model/design/random.h"

/* Longer walks of a host, of hashed tables, are made each time. There is room for these, and for the guest's entry. */
#define KEPT_REFS PT_LEVELS_MAX
_Static_assert(KEPT_REFS < MODEL_REFS_SPARE, "walks are added without asking for room");

/* The host's walk to a frame of the guest's tables, in little space: there are many of them. */
struct kept {
	uint64_t changes;            /* of the host, when it was walked, and 1; 0: never */
	uint64_t frame;              /* machine address */
	uint64_t address[KEPT_REFS]; /* of the references; their key is what is looked for */
	uint32_t where[KEPT_REFS];   /* model_ref_where() */
	uint32_t nr;
};

struct pair {
	struct walker w;
	struct walker *guest, *host;
	struct model_memory *memory; /* guest physical */
	struct model_backing backing;
	struct model_memory_seen backed; /* of the guest's memory: it has host pages */
	struct kept *kept;               /* of each frame for tables in the guest's memory; NULL: none is kept */
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

static int back(void *pair, uint64_t gpa, uint64_t bytes)
{
	struct pair *p = pair;
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

/* Guests that compose tables lead to other addresses than they were given. */
static int back_mapped(struct pair *p, uint64_t va, int page_shift)
{
	struct model_walk walk;
	int r = 0;

	for (uint64_t at = va; r == 0 && at - va < 1ull << page_shift; at += 1ull << walk.page_shift) {
		walker_walk(p->guest, at, &walk);
		r = back(p, walk.pa, 1ull << walk.page_shift);
	}
	return r;
}

static int pair_map(struct walker *w, uint64_t va, uint64_t pa, int page_shift, pt_attrs_t attrs)
{
	struct pair *p = (struct pair *)w;
	int r = walker_map(p->guest, va, pa, page_shift, attrs);

	if (r == 0)
		r = model_memory_news(p->memory, &p->backed, back, p);
	if (r == 0)
		r = back_mapped(p, va, page_shift);
	return r;
}

/* The host's pages stay: a kernel that unmaps does not tell its hypervisor. */
static int pair_unmap(struct walker *w, uint64_t va, int page_shift, uint64_t *ret_pa)
{
	return walker_unmap(((struct pair *)w)->guest, va, page_shift, ret_pa);
}

static void keep(const struct pair *p, struct kept *kept, uint64_t gpa, const struct model_walk *walk, uint32_t before)
{
	const uint32_t nr = walk->nr - before;

	if (!walk->mapped || nr > KEPT_REFS || walk->nr > MODEL_REFS_MAX)
		return;
	kept->changes = p->host->changes + 1;
	kept->frame = walk->pa - page_offset(gpa);
	kept->nr = nr;
	for (uint32_t i = 0; i < nr; i++) {
		kept->address[i] = walk->ref[before + i].address;
		kept->where[i] = model_ref_where(&walk->ref[before + i]);
	}
}

/* The host's walk to an entry of the guest's at `gpa`, which is kept. */
static void walk_to_entry(const struct pair *p, uint64_t gpa, struct model_walk *walk)
{
	const struct model_memory *m = p->memory;
	const uint32_t before = walk->nr;

	p->host->ops->walk(p->host, gpa, walk);
	if (p->kept && gpa - m->data < m->limit)
		keep(p, &p->kept[(gpa - m->data) >> PAGE_SHIFT], gpa, walk, before);
}

/* The guest's entries, and the host's walks to them, if each of these is kept. */
static bool add_kept(const struct pair *p, const struct model_walk *guest, struct model_walk *walk)
{
	const uint64_t data = p->memory->data, limit = p->kept ? p->memory->limit : 0, changes = p->host->changes + 1;
	const struct model_ref *const end = guest->ref + guest->nr;
	struct model_ref *ref = walk->ref + walk->nr;

	if (walk->nr + guest->nr * (KEPT_REFS + 1) > MODEL_REFS_MAX)
		return false;
	for (const struct model_ref *entry = guest->ref; entry != end; entry++) {
		const uint64_t gpa = entry->address;
		const struct kept *kept;

		if (gpa - data >= limit)
			return false;
		kept = &p->kept[(gpa - data) >> PAGE_SHIFT];
		if (kept->changes != changes)
			return false;
			/* All of them, as their number is known here; what is too much is written over. */
#pragma GCC unroll 5
		for (uint32_t i = 0; i < KEPT_REFS; i++)
			model_ref_set(&ref[i], kept->address[i], gpa, kept->where[i]);
		ref += kept->nr;
		model_ref_set(ref++, kept->frame | page_offset(gpa), entry->key, model_ref_where(entry));
	}
	walk->nr = ref - walk->ref;
	return true;
}

static bool add_walked(const struct pair *p, struct model_walk *guest, struct model_walk *walk)
{
	const unsigned nr = model_walk_kept(guest);

	for (unsigned i = 0; i < nr; i++) {
		struct model_ref *ref = &guest->ref[i];

		walk->of = ref->level ? ref->level : MODEL_OF_HASHED;
		walk_to_entry(p, ref->address, walk);
		if (!walk->mapped)
			return false;
		ref->address = walk->pa;
		model_walk_add(walk, *ref);
	}
	return true;
}

static void pair_walk(const struct walker *w, uint64_t va, struct model_walk *walk)
{
	const struct pair *p = (const struct pair *)w;
	struct model_walk guest;

	walker_walk(p->guest, va, &guest);
	if (!add_kept(p, &guest, walk) && !add_walked(p, &guest, walk))
		return;
	walk->mapped = false;
	walk->page_shift = guest.page_shift;
	if (!guest.mapped)
		return;
	walk->of = 0;
	p->host->ops->walk(p->host, guest.pa, walk);
	if (guest.page_shift < walk->page_shift)
		walk->page_shift = guest.page_shift;
}

/* The guest's leaf has a machine address if the walk to its table is kept. */
static void move_to_host(const struct pair *p, struct walker_ahead *a)
{
	const uint64_t gpa = a->entry[0];
	const struct kept *kept = &p->kept[(gpa - p->memory->data) >> PAGE_SHIFT];

	a->known = kept->changes == p->host->changes + 1;
	a->entry[0] = kept->frame | page_offset(gpa);
	a->va = a->pa;
}

/* The guest's leaves, the walks to their tables, and the host's leaves for the data. */
static void pair_ahead(const struct walker *w, struct walker_ahead *a, size_t nr)
{
	const struct pair *p = (const struct pair *)w;
	const bool can = p->kept && p->guest->ops->ahead && p->host->ops->ahead;

	if (can)
		p->guest->ops->ahead(p->guest, a, nr);
	for (size_t i = 0; i < nr; i++) {
		const uint64_t at = a[i].entry[0] - p->memory->data;

		a[i].known &= can && at < p->memory->limit;
		if (a[i].known) { /* two lines */
			__builtin_prefetch(&p->kept[at >> PAGE_SHIFT].changes);
			__builtin_prefetch(&p->kept[at >> PAGE_SHIFT].nr);
		}
	}
	for (size_t i = 0; i < nr; i++)
		if (a[i].known)
			move_to_host(p, &a[i]);
	if (can)
		p->host->ops->ahead(p->host, a, nr);
}

static void pair_usage(const struct walker *w, struct model_usage *ret_usage)
{
	const struct pair *p = (const struct pair *)w;

	walker_usage(p->guest, ret_usage);
	walker_usage_beside(p->host, ret_usage);
}

static uint64_t kept_bytes(const struct model_memory *m)
{
	return (m->limit >> PAGE_SHIFT) * sizeof(struct kept);
}

static void pair_destroy(struct walker *w)
{
	struct pair *p = (struct pair *)w;

	walker_destroy(p->guest);
	walker_destroy(p->host);
	model_unreserve(p->kept, kept_bytes(p->memory));
	model_memory_put(p->memory);
	walker_release(w);
}

static const struct walker_ops pair_ops = {.map = pair_map,
                                           .walk = pair_walk,
                                           .usage = pair_usage,
                                           .destroy = pair_destroy,
                                           .unmap = pair_unmap,
                                           .ahead = pair_ahead};

struct walker *model_pair_guest(const struct walker *w)
{
	return w->ops == &pair_ops ? ((const struct pair *)w)->guest : NULL;
}

struct walker *model_pair_host(const struct walker *w)
{
	return w->ops == &pair_ops ? ((const struct pair *)w)->host : NULL;
}

int model_pair_create(struct walker *guest, struct walker *host, struct model_memory *memory,
                      const struct model_backing *backing, struct walker **ret_walker)
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
	p->memory = model_memory_get(memory);
	/* Without room for it, walks are slower. */
	p->kept = backing->plain ? NULL : model_reserve(kept_bytes(memory));
	r = model_memory_news(p->memory, &p->backed, back, p);
	if (r < 0) {
		walker_destroy(&p->w);
		return r;
	}
	*ret_walker = &p->w;
	return 0;
}
