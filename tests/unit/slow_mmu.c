/* SPDX-License-Identifier: MIT */
#include "slow_mmu.h"

#include <stdlib.h>

/* ---- lists ---- */

struct slow_array slow_array(const struct assoc_shape *shape)
{
	struct slow_array a = {.sets = shape->ways ? shape->entries / shape->ways : 0, .ways = shape->ways};

	a.key = calloc(shape->entries + 1, sizeof(*a.key));
	a.nr = calloc(a.sets + 1, sizeof(*a.nr));
	return a;
}

void slow_array_free(struct slow_array *a)
{
	free(a->key);
	free(a->nr);
}

static uint32_t set_of(const struct slow_array *a, uint64_t key)
{
	return (key & ~(63ull << 58)) % a->sets;
}

bool slow_find(struct slow_array *a, uint64_t key)
{
	uint64_t *list;

	if (!a->sets)
		return false;
	list = a->key + (size_t)set_of(a, key) * a->ways;
	for (uint32_t i = 0; i < a->nr[set_of(a, key)]; i++) {
		if (list[i] != key)
			continue;
		for (; i > 0; i--)
			list[i] = list[i - 1];
		list[0] = key;
		return true;
	}
	return false;
}

bool slow_touch(struct slow_array *a, uint64_t key)
{
	uint64_t *list;
	uint32_t *nr;

	if (slow_find(a, key))
		return true;
	if (!a->sets)
		return false;
	list = a->key + (size_t)set_of(a, key) * a->ways;
	nr = &a->nr[set_of(a, key)];
	if (*nr < a->ways)
		++*nr;
	for (uint32_t i = *nr - 1; i > 0; i--)
		list[i] = list[i - 1];
	list[0] = key;
	return false;
}

void slow_remove(struct slow_array *a, uint64_t key)
{
	uint64_t *const list = a->key + (size_t)set_of(a, key) * a->ways;
	uint32_t *const nr = &a->nr[set_of(a, key)];

	if (!slow_find(a, key)) /* it comes first then */
		return;
	--*nr;
	for (uint32_t i = 0; i < *nr; i++)
		list[i] = list[i + 1];
}

bool slow_plru_touch(struct slow_plru *p, uint64_t key)
{
	const uint32_t first = key % p->sets * p->ways;
	uint32_t way = p->ways, used = 0;
	bool hit = false;

	for (uint32_t i = 0; i < p->ways && !hit; i++)
		if (p->key[first + i] == key) {
			way = i;
			hit = true;
		}
	for (uint32_t i = 0; i < p->ways && way == p->ways; i++)
		if (!p->key[first + i])
			way = i;
	for (uint32_t i = 0; i < p->ways && way == p->ways; i++)
		if (!p->used[first + i])
			way = i;
	if (way == p->ways)
		way = 0; /* of one way */
	p->key[first + way] = key;
	p->used[first + way] = true;
	for (uint32_t i = 0; i < p->ways; i++)
		used += p->used[first + i];
	if (used == p->ways) {
		memset(p->used + first, 0, p->ways * sizeof(*p->used));
		p->used[first + way] = true;
	}
	return hit;
}

/* ---- the MMU ---- */

struct slow_mmu *slow_mmu_new(const struct mmu_shape *shape)
{
	struct slow_mmu *s = calloc(1, sizeof(*s));

	s->shape = *shape;
	for (size_t i = 0; i < shape->nr_tlbs; i++)
		s->tlb[i] = slow_array(&shape->tlb[i].array);
	for (size_t i = 0; i < shape->nr_pwcs; i++)
		s->pwc[i] = slow_array(&shape->pwc[i].array);
	for (size_t i = 0; i < shape->nr_caches; i++)
		s->cache[i] = slow_array(&shape->cache[i].array);
	s->nested = slow_array(&shape->nested);
	s->check = slow_array(&shape->check);
	return s;
}

void slow_mmu_free(struct slow_mmu *s)
{
	for (size_t i = 0; i < s->shape.nr_tlbs; i++)
		slow_array_free(&s->tlb[i]);
	for (size_t i = 0; i < s->shape.nr_pwcs; i++)
		slow_array_free(&s->pwc[i]);
	for (size_t i = 0; i < s->shape.nr_caches; i++)
		slow_array_free(&s->cache[i]);
	slow_array_free(&s->nested);
	slow_array_free(&s->check);
	free(s);
}

static void read_line(struct slow_mmu *s, uint64_t address, unsigned first)
{
	for (unsigned i = first; i < s->shape.nr_caches; i++) {
		if (slow_touch(&s->cache[i], address / 64)) {
			s->cycles += s->shape.cache[i].cycles;
			return;
		}
	}
	s->cycles += s->shape.memory_cycles;
}

static uint64_t key_of(uint64_t address, unsigned shift, unsigned kind)
{
	return address >> shift | (uint64_t)kind << 58;
}

static struct slow_array *pwc_of(struct slow_mmu *s, const struct model_ref *ref)
{
	for (size_t i = 0; i < s->shape.nr_pwcs; i++)
		if (ref->level && s->shape.pwc[i].dimensions >> ref->dimension & 1 &&
		    s->shape.pwc[i].levels >> ref->level & 1)
			return &s->pwc[i];
	return NULL;
}

static uint64_t pwc_key(const struct model_ref *ref)
{
	return key_of(ref->key, ref->shift, ref->dimension * SHAPE_LEVELS + ref->level);
}

/*
 * The lowest level of a dimension whose entry a page-walk cache has, among references that help to translate the same; 0:
 * none. `lowest`: of the leaf, which does not count.
 */
static unsigned cached_level(struct slow_mmu *s, const struct model_walk *walk, unsigned dimension, unsigned of,
                             unsigned lowest)
{
	for (unsigned level = lowest + 1; level < SHAPE_LEVELS; level++) {
		for (unsigned i = 0; i < walk->nr; i++) {
			const struct model_ref *ref = &walk->ref[i];

			if (ref->dimension == dimension && ref->level == level &&
			    (dimension == MODEL_GUEST || ref->of == of) && pwc_of(s, ref) &&
			    slow_find(pwc_of(s, ref), pwc_key(ref)))
				return level;
		}
	}
	return 0;
}

static unsigned lowest_level(const struct model_walk *walk, unsigned dimension, unsigned of,
                             const struct model_ref **ret_leaf)
{
	unsigned lowest = SHAPE_LEVELS;

	*ret_leaf = NULL;
	for (unsigned i = 0; i < walk->nr; i++) {
		const struct model_ref *ref = &walk->ref[i];

		if (ref->dimension != dimension || (dimension == MODEL_HOST && ref->of != of) || ref->level >= lowest)
			continue;
		lowest = ref->level;
		*ret_leaf = ref;
	}
	return lowest;
}

static void read_ref(struct slow_mmu *s, const struct model_ref *ref, bool is_leaf)
{
	s->refs++;
	read_line(s, ref->address, s->shape.walker_cache);
	if (!is_leaf && pwc_of(s, ref))
		slow_touch(pwc_of(s, ref), pwc_key(ref));
}

/* What the host reads for the guest's entry of level `of`, or for the data: 0. */
static void walk_host(struct slow_mmu *s, const struct model_walk *walk, unsigned of)
{
	const struct model_ref *leaf;
	const unsigned lowest = lowest_level(walk, MODEL_HOST, of, &leaf);
	unsigned cached;

	if (!leaf || slow_find(&s->nested, key_of(leaf->key, leaf->shift, leaf->shift)))
		return;
	cached = cached_level(s, walk, MODEL_HOST, of, lowest);
	for (unsigned i = 0; i < walk->nr; i++) {
		const struct model_ref *ref = &walk->ref[i];

		if (ref->dimension == MODEL_HOST && ref->of == of && (!cached || ref->level < cached))
			read_ref(s, ref, ref == leaf);
	}
	slow_touch(&s->nested, key_of(leaf->key, leaf->shift, leaf->shift));
}

static void walk_tables(struct slow_mmu *s, const struct model_walk *walk)
{
	const struct model_ref *leaf;
	const unsigned lowest = lowest_level(walk, MODEL_GUEST, 0, &leaf);
	const unsigned cached = cached_level(s, walk, MODEL_GUEST, 0, lowest);

	for (unsigned level = SHAPE_LEVELS - 1; level >= lowest; level--) {
		for (unsigned i = 0; i < walk->nr; i++) {
			const struct model_ref *ref = &walk->ref[i];

			if (ref->dimension != MODEL_GUEST || ref->level != level || (cached && level >= cached))
				continue;
			walk_host(s, walk, level);
			read_ref(s, ref, ref == leaf);
		}
	}
	walk_host(s, walk, 0);
}

/* The TLB of a level that has the largest part of the page, and that part. */
static int tlb_for(const struct slow_mmu *s, int level, unsigned page_shift, unsigned *ret_shift)
{
	for (unsigned shift = page_shift; shift >= 12; shift--) {
		for (size_t i = 0; i < s->shape.nr_tlbs; i++) {
			if (s->shape.tlb[i].level == level && s->shape.tlb[i].shifts >> shift & 1) {
				*ret_shift = shift;
				return (int)i;
			}
		}
	}
	return -1;
}

/* Whether a TLB of a level has a page with `va` that is a part of this one; which part. */
static bool find_in_tlb(struct slow_mmu *s, int level, uint64_t va, unsigned page_shift, unsigned *ret_shift)
{
	for (unsigned shift = 12; shift <= page_shift; shift++) {
		for (size_t i = 0; i < s->shape.nr_tlbs; i++) {
			if (s->shape.tlb[i].level == level && s->shape.tlb[i].shifts >> shift & 1 &&
			    slow_find(&s->tlb[i], key_of(va, shift, shift))) {
				*ret_shift = shift;
				return true;
			}
		}
	}
	return false;
}

static void fill_tlb(struct slow_mmu *s, int level, uint64_t va, unsigned page_shift)
{
	unsigned shift = 0;
	const int i = tlb_for(s, level, page_shift, &shift);

	if (i >= 0)
		slow_touch(&s->tlb[i], key_of(va, shift, shift));
}

void slow_mmu_access(struct slow_mmu *s, uint64_t va, const struct model_walk *walk)
{
	unsigned shift = walk->page_shift;
	bool second = false;

	for (size_t i = 0; i < s->shape.nr_tlbs; i++)
		second |= s->shape.tlb[i].level == 2;
	s->hit = true;
	if (!find_in_tlb(s, 1, va, walk->page_shift, &shift)) {
		s->cycles += second ? s->shape.tlb2_cycles : 0;
		if (!find_in_tlb(s, 2, va, walk->page_shift, &shift)) {
			s->hit = false;
			walk_tables(s, walk);
			fill_tlb(s, 2, va, walk->page_shift);
			shift = walk->page_shift;
		}
		fill_tlb(s, 1, va, shift);
	}
	read_line(s, walk->pa, 0);
}
