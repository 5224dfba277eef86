/* SPDX-License-Identifier: MIT */
#include "model/design/shadow.h"

#include <errno.h>
#include <stdlib.h>

#include "model/design/memory.h"
#include "model/design/pair.h"
#include "model/design/radix.h"

struct shadow {
	struct walker w;
	struct walker *pair, *composed;
	int nested; /* levels of the guest's tables that the CPU walks nested: its lowest ones; 0: shadow paging */
};

/* The page at `va`, composed of the guest's leaf and the host's: as large as the smaller one. */
static int compose_page(struct shadow *s, uint64_t va, const struct model_walk *walk, pt_attrs_t attrs)
{
	const int shift = walk->page_shift;

	return walker_map(s->composed, va >> shift << shift, walk->pa >> shift << shift, shift, attrs);
}

/* The level of the guest's leaf in a walk of the pair. */
static int guest_level(const struct model_walk *walk)
{
	int level = 0;

	for (unsigned i = 0; i < model_walk_kept(walk); i++) {
		if (walk->ref[i].dimension == MODEL_GUEST)
			level = walk->ref[i].level;
	}
	return level;
}

/* A composed walk that goes on in the guest's tables. */
static bool is_linked(const struct shadow *s, const struct model_walk *walk)
{
	return s->nested && !walk->mapped && walk->pa;
}

/* The entry above the nested levels leads to the guest's table, as its machine address. */
static int link_guest(struct shadow *s, uint64_t va, const struct model_walk *nested)
{
	struct model_walk walk;

	if (s->nested == model_radix_format(s->composed)->levels)
		return 0;
	walker_walk(s->composed, va, &walk);
	if (is_linked(s, &walk))
		return 0;
	for (unsigned i = 0; i < model_walk_kept(nested); i++) {
		const struct model_ref *ref = &nested->ref[i];

		if (ref->dimension == MODEL_GUEST && ref->level == s->nested)
			return model_radix_link(s->composed, va, s->nested + 1, ref->address & PAGE_MASK);
	}
	return 0;
}

static int shadow_map(struct walker *w, uint64_t va, uint64_t pa, int page_shift, pt_attrs_t attrs)
{
	struct shadow *s = (struct shadow *)w;
	struct model_walk walk;
	int r = walker_map(s->pair, va, pa, page_shift, attrs);

	for (uint64_t at = va; r == 0 && at - va < 1ull << page_shift; at += 1ull << walk.page_shift) {
		walker_walk(s->pair, at, &walk);
		if (s->nested && guest_level(&walk) <= s->nested)
			r = link_guest(s, at, &walk);
		else
			r = compose_page(s, at, &walk, attrs);
	}
	return r;
}

/* Of the composed tables goes what stands there; below an entry that is linked, nothing does. */
static int shadow_unmap(struct walker *w, uint64_t va, int page_shift, uint64_t *ret_pa)
{
	struct shadow *s = (struct shadow *)w;
	struct model_walk walk;
	uint64_t machine, step;
	int r = walker_unmap(s->pair, va, page_shift, ret_pa);

	for (uint64_t at = va; r == 0 && at - va < 1ull << page_shift; at += step) {
		walker_walk(s->composed, at, &walk);
		step = 1ull << (walk.mapped ? walk.page_shift : PAGE_SHIFT);
		if (walk.mapped)
			r = walker_unmap(s->composed, at, walk.page_shift, &machine);
	}
	return r;
}

static void shadow_walk(const struct walker *w, uint64_t va, struct model_walk *walk)
{
	const struct shadow *s = (const struct shadow *)w;

	s->composed->ops->walk(s->composed, va, walk);
}

/* Of a radix tree, as composed tables are. */
static void shadow_ahead(const struct walker *w, struct walker_ahead *a, size_t nr)
{
	const struct walker *composed = ((const struct shadow *)w)->composed;

	composed->ops->ahead(composed, a, nr);
}

/* A nested walk from the guest's table of level `nested` on, whose machine address the CPU has. */
static void agile_walk(const struct walker *w, uint64_t va, struct model_walk *walk)
{
	const struct shadow *s = (const struct shadow *)w;
	struct model_walk nested;

	if (s->nested < model_radix_format(s->composed)->levels) {
		shadow_walk(w, va, walk);
		if (!is_linked(s, walk))
			return;
	}
	walker_walk(s->pair, va, &nested);
	for (unsigned i = 0; i < model_walk_kept(&nested); i++) {
		const struct model_ref *ref = &nested.ref[i];

		if (ref->dimension == MODEL_GUEST ? ref->level <= s->nested : ref->of < s->nested)
			model_walk_add(walk, *ref);
	}
	walk->mapped = nested.mapped;
	walk->page_shift = nested.page_shift;
	walk->pa = nested.pa;
}

static void shadow_usage(const struct walker *w, struct model_usage *ret_usage)
{
	const struct shadow *s = (const struct shadow *)w;

	walker_usage(s->pair, ret_usage);
	walker_usage_beside(s->composed, ret_usage);
}

static void shadow_destroy(struct walker *w)
{
	struct shadow *s = (struct shadow *)w;

	walker_destroy(s->composed);
	walker_destroy(s->pair);
	walker_release(w);
}

static const struct walker_ops shadow_ops = {.map = shadow_map,
                                             .walk = shadow_walk,
                                             .usage = shadow_usage,
                                             .destroy = shadow_destroy,
                                             .unmap = shadow_unmap,
                                             .ahead = shadow_ahead};
static const struct walker_ops agile_ops = {
    .map = shadow_map, .walk = agile_walk, .usage = shadow_usage, .destroy = shadow_destroy, .unmap = shadow_unmap};

static int create(struct walker *pair, struct walker *composed, int nested, const struct walker_ops *ops,
                  struct walker **ret_walker)
{
	struct shadow *s = calloc(1, sizeof(*s));

	if (!s) {
		walker_destroy(composed);
		walker_destroy(pair);
		return -ENOMEM;
	}
	walker_init(&s->w, ops, pair->memory, MODEL_GUEST);
	s->w.va_bits = pair->va_bits;
	s->pair = pair;
	s->composed = composed;
	s->nested = nested;
	*ret_walker = &s->w;
	return 0;
}

int model_shadow_create(struct walker *pair, struct walker *composed, struct walker **ret_walker)
{
	return create(pair, composed, 0, &shadow_ops, ret_walker);
}

int model_agile_create(struct walker *pair, struct walker *composed, int nested, struct walker **ret_walker)
{
	BUG_ON(!model_radix_format(composed) || nested < 0 || nested > model_radix_format(composed)->levels);
	return create(pair, composed, nested, nested ? &agile_ops : &shadow_ops, ret_walker);
}
