/* SPDX-License-Identifier: MIT */
/*
 * A sum over what a tree maps: equal content, equal number, whatever the page sizes and the history.
 *
 * A run of pages [s, e) with one key k = (pa - va, attributes without A and D) adds edge(s, k) - edge(e, k). Two adjoining
 * runs with one key telescope into one run, so a 2 MiB leaf and its 512 parts add the same; sums commute, so order does not
 * matter.
 */
#ifndef TESTS_UNIT_TREE_SUM_H
#define TESTS_UNIT_TREE_SUM_H

#include "pgtable/internal.h"

/* The finaliser of SplitMix64 (Steele, Lea, Flood 2014): each input bit reaches all output bits. */
static inline uint64_t tree_sum_mix(uint64_t x)
{
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ull;
	x = (x ^ x >> 27) * 0x94d049bb133111ebull;
	return x ^ x >> 31;
}

/* Of what [first, last] maps, both canonical. */
static inline uint64_t tree_sum_range(struct pt *pt, uint64_t first, uint64_t last)
{
	const struct pt_format *fmt = pt->fmt;
	struct pt_iter it;
	uint64_t sum = 0;

	pt_for_each (&it, pt, first, last, 1) {
		uint64_t start = pt_linear(fmt, it.va), end = pt_iter_end(&it), key;

		if (!fmt->is_leaf(it.old, it.level))
			continue;
		key = tree_sum_mix(tree_sum_mix(fmt->address(it.old, it.level) - start) +
		                   (fmt->get_attrs(it.old, it.level) & ~PT_AD) + 1);
		start = start > it.first ? start : it.first;
		end = end < it.last ? end : it.last;
		sum += tree_sum_mix(start + key) - tree_sum_mix(end + 1 + key);
	}
	return sum;
}

static inline uint64_t tree_sum(struct pt *pt)
{
	return tree_sum_range(pt, 0, UINT64_MAX);
}

#endif
