/* SPDX-License-Identifier: MIT */
/*
 *     va    | index L | ... | index 1 | offset |
 *                |                |
 *     root --> table L --> ... table 1 --> page          raw:  the format's entry, in the simulated memory
 *                                                        seen: address | SEEN_TABLE, SEEN_LEAF or SEEN_LINK; 0: absent
 */
#include "model/design/radix.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "model/design/memory.h"

#define SEEN_TABLE   1ull
#define SEEN_LEAF    2ull
#define SEEN_LINK    4ull
#define SEEN_ADDRESS PAGE_MASK

#define OF_SHIFT (8 * (offsetof(struct model_ref, of) - offsetof(struct model_ref, dimension)))

/* What a walk needs of a level. */
struct step {
	uint64_t mask;       /* of the index, as a byte offset in the table */
	uint8_t shift;       /* of the address to that offset */
	uint8_t entry_shift; /* an entry covers 1 << entry_shift bytes */
	uint32_t where;      /* model_ref from `dimension` on, but for `of` */
};

struct radix {
	struct walker w;
	struct pt_format fmt;
	uint64_t root;
	uint64_t *seen; /* what the format says of the entry in the same place of the memory */
	uintptr_t seen_of_0;    /* where `seen` would have that of address 0 */
	const struct step *top; /* of the root */
	/* Canonical is what does not reach `reach` when `half` is added: half of it, if addresses have a sign. */
	uint64_t half, reach;
	struct step step[PT_LEVELS_MAX + 1];
	struct model_usage usage;
};

static uint64_t table_bytes(const struct pt_format *fmt, int level)
{
	return round_up((uint64_t)pt_nr_entries(fmt, level) * sizeof(uint64_t), PAGE_SIZE);
}

static uint64_t *seen_at(const struct radix *r, uint64_t at)
{
	return &r->seen[(at - r->w.memory->data) / sizeof(uint64_t)];
}

/* Nothing but the model walks here: a plain store does. */
static void store(struct radix *r, uint64_t at, pte_t e, int level)
{
	const bool leaf = r->fmt.is_leaf(e, level);

	*(uint64_t *)model_memory_at(r->w.memory, at) = pte_raw(e);
	*seen_at(r, at) = r->fmt.address(e, level) | (leaf ? SEEN_LEAF : SEEN_TABLE);
	r->usage.insert_refs++;
}

static int new_table(struct radix *r, int level, uint64_t *ret_address)
{
	const uint64_t bytes = table_bytes(&r->fmt, level);
	const int ret = model_memory_table(r->w.memory, bytes, ret_address);

	if (ret == 0)
		r->usage.table_bytes += bytes;
	return ret;
}

/* Where the entry for `va` at `level` lies; makes the tables above. */
static int descend(struct radix *r, uint64_t va, int level, uint64_t *ret_at)
{
	uint64_t table = r->root;

	for (int l = r->fmt.levels;; l--) {
		const uint64_t at = table + pt_index(&r->fmt, va, l) * sizeof(uint64_t);
		const uint64_t e = *seen_at(r, at);

		r->usage.insert_refs++;
		if (l == level) {
			*ret_at = at;
			return 0;
		}
		if (e & (SEEN_LEAF | SEEN_LINK))
			return -EEXIST;
		table = e & SEEN_ADDRESS;
		if (!e) {
			const int ret = new_table(r, l - 1, &table);

			if (ret < 0)
				return ret;
			store(r, at, r->fmt.make_table(l, table), l);
		}
	}
}

static int map_leaf(struct radix *r, uint64_t va, uint64_t pa, int level, pt_attrs_t attrs)
{
	uint64_t at;
	int ret = descend(r, va, level, &at);

	if (ret < 0)
		return ret;
	if (*seen_at(r, at) & (SEEN_TABLE | SEEN_LINK))
		return -EEXIST;
	r->usage.pages += !*seen_at(r, at);
	store(r, at, r->fmt.make_leaf(level, pa, attrs), level);
	return 0;
}

/* The level with the largest pages that fit into one of 1 << shift bytes. 0: none. */
static int leaf_level(const struct pt_format *fmt, int shift)
{
	int level = 0;

	while (level < fmt->levels && fmt->level[level + 1].leaf && fmt->level[level + 1].shift <= shift)
		level++;
	return level;
}

static int radix_map(struct walker *w, uint64_t va, uint64_t pa, int page_shift, pt_attrs_t attrs)
{
	struct radix *r = (struct radix *)w;
	const uint64_t bytes = 1ull << page_shift;
	const int level = leaf_level(&r->fmt, page_shift);

	attrs &= r->fmt.attrs;
	if (!level || (va | pa) & (bytes - 1) || !r->fmt.allows(attrs) || pa >> r->fmt.phys_bits ||
	    !pt_is_canonical(&r->fmt, va) || !pt_is_canonical(&r->fmt, va + bytes - 1))
		return -EINVAL;
	r->usage.inserts++;
	for (uint64_t done = 0; done < bytes; done += pt_span(&r->fmt, level)) {
		const int ret = map_leaf(r, va + done, pa + done, level, attrs);

		if (ret < 0)
			return ret;
	}
	return 0;
}

/* The leaf for `va` at `level` goes; 0: there is none. */
static uint64_t unmap_leaf(struct radix *r, uint64_t va, int level)
{
	uint64_t table = r->root;

	for (int l = r->fmt.levels;; l--) {
		const uint64_t at = table + pt_index(&r->fmt, va, l) * sizeof(uint64_t);
		const uint64_t e = *seen_at(r, at);

		r->usage.remove_refs++;
		if (l == level && e & SEEN_LEAF) {
			*(uint64_t *)model_memory_at(r->w.memory, at) = 0;
			*seen_at(r, at) = 0;
			r->usage.remove_refs++;
			r->usage.pages--;
			return e;
		}
		if (l == level || !(e & SEEN_TABLE))
			return 0;
		table = e & SEEN_ADDRESS;
	}
}

static int radix_unmap(struct walker *w, uint64_t va, int page_shift, uint64_t *ret_pa)
{
	struct radix *r = (struct radix *)w;
	const int level = leaf_level(&r->fmt, page_shift);
	const uint64_t refs = r->usage.remove_refs;
	uint64_t first = 0;

	if (!level || !pt_is_canonical(&r->fmt, va))
		return -ENOENT;
	for (uint64_t done = 0; done < 1ull << page_shift; done += pt_span(&r->fmt, level)) {
		const uint64_t e = unmap_leaf(r, va + done, level);

		if (!e) {
			r->usage.remove_refs = refs;
			return -ENOENT;
		}
		if (!done)
			first = e & SEEN_ADDRESS;
	}
	r->usage.removes++;
	*ret_pa = first;
	return 0;
}

int model_radix_link(struct walker *w, uint64_t va, int level, uint64_t address)
{
	struct radix *r = (struct radix *)w;
	uint64_t at;
	int ret;

	if (level < 1 || level > r->fmt.levels || !pt_is_canonical(&r->fmt, va))
		return -EINVAL;
	ret = descend(r, va, level, &at);
	if (ret < 0)
		return ret;
	if (*seen_at(r, at) & (SEEN_TABLE | SEEN_LEAF))
		return -EEXIST;
	store(r, at, r->fmt.make_table(level, address), level);
	*seen_at(r, at) = address | SEEN_LINK;
	return 0;
}

/* The hot loop of the model: no call, and three stores for each reference. */
static void radix_walk(const struct walker *w, uint64_t va, struct model_walk *walk)
{
	const struct radix *r = (const struct radix *)w;
	const struct step *const top = r->top, *step = top;
	struct model_ref *ref = model_walk_next(walk);
	const uintptr_t seen = r->seen_of_0;
	const uint32_t of = (uint32_t)walk->of << OF_SHIFT;
	uint64_t e = r->root | SEEN_TABLE;

	walk->mapped = false;
	if (va + r->half >= r->reach)
		return;
	for (;; step--, ref++) {
		const uint64_t at = (e & SEEN_ADDRESS) + (va >> step->shift & step->mask);

		e = *(const uint64_t *)(seen + at);
		model_ref_set(ref, at, va, step->where | of);
		if (!(e & SEEN_TABLE))
			break;
	}
	walk->nr += top - step + 1;
	walk->mapped = e & SEEN_LEAF;
	walk->page_shift = step->entry_shift;
	walk->pa = (e & SEEN_ADDRESS) | (e & SEEN_LEAF ? va & ((1ull << step->entry_shift) - 1) : 0);
}

/* The leaf's entry is what caches miss first: each other one serves 512 times as many addresses, or more. */
static void fetch_leaf(const struct radix *r, struct walker_ahead *a)
{
	const struct step *step = r->top;
	const uintptr_t seen = r->seen_of_0;
	uint64_t e = r->root | SEEN_TABLE, at;

	a->known = a->va + r->half < r->reach;
	if (!a->known)
		return;
	for (;; step--) {
		at = (e & SEEN_ADDRESS) + (a->va >> step->shift & step->mask);
		if (step == &r->step[1])
			break;
		e = *(const uint64_t *)(seen + at);
		if (!(e & SEEN_TABLE))
			break;
	}
	a->leaf = (const uint64_t *)(seen + at);
	a->shift = step->entry_shift;
	a->entry[a->nr++] = at;
	__builtin_prefetch(a->leaf);
}

static void radix_ahead(const struct walker *w, struct walker_ahead *a, size_t nr)
{
	for (size_t i = 0; i < nr; i++)
		if (a[i].known)
			fetch_leaf((const struct radix *)w, &a[i]);
	for (size_t i = 0; i < nr; i++) {
		const uint64_t e = a[i].known ? *a[i].leaf : 0;

		a[i].pa = (e & SEEN_ADDRESS) | (a[i].va & ((1ull << a[i].shift) - 1));
		a[i].known = e & SEEN_LEAF;
	}
}

static void radix_usage(const struct walker *w, struct model_usage *ret_usage)
{
	*ret_usage = ((const struct radix *)w)->usage;
}

static void radix_destroy(struct walker *w)
{
	model_unreserve(((struct radix *)w)->seen, w->memory->limit);
	walker_release(w);
}

static const struct walker_ops radix_ops = {.map = radix_map,
                                            .walk = radix_walk,
                                            .usage = radix_usage,
                                            .destroy = radix_destroy,
                                            .unmap = radix_unmap,
                                            .ahead = radix_ahead};

const struct pt_format *model_radix_format(const struct walker *w)
{
	return w->ops == &radix_ops ? &((const struct radix *)w)->fmt : NULL;
}

static void prepare_steps(struct radix *r)
{
	r->top = &r->step[r->fmt.levels];
	r->reach = pt_linear_max(&r->fmt) + 1;
	r->half = r->fmt.sign_extended ? r->reach / 2 : 0;
	for (int level = 1; level <= r->fmt.levels; level++) {
		const struct pt_level *l = &r->fmt.level[level];
		const struct model_ref ref = {.dimension = r->w.dimension, .level = level, .shift = l->shift};

		r->step[level] = (struct step){.mask = (pt_nr_entries(&r->fmt, level) - 1) * sizeof(uint64_t),
		                               .shift = l->shift - 3,
		                               .entry_shift = l->shift};
		r->step[level].where = model_ref_where(&ref);
	}
}

int model_radix_create(const struct pt_format *fmt, struct model_memory *memory, enum model_dimension dimension,
                       struct walker **ret_walker)
{
	struct radix *r = calloc(1, sizeof(*r));
	int ret;

	if (!r)
		return -ENOMEM;
	walker_init(&r->w, &radix_ops, memory, dimension);
	r->fmt = *fmt;
	r->fmt.sign_extended = fmt->sign_extended && dimension == MODEL_GUEST;
	r->w.va_bits = pt_va_bits(&r->fmt) - r->fmt.sign_extended;
	prepare_steps(r);
	r->seen = model_reserve(memory->limit);
	r->seen_of_0 = (uintptr_t)r->seen - memory->data;
	ret = r->seen ? new_table(r, r->fmt.levels, &r->root) : -ENOMEM;
	if (ret < 0) {
		walker_destroy(&r->w);
		return ret;
	}
	*ret_walker = &r->w;
	return 0;
}
