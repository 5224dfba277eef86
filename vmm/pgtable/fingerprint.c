/* SPDX-License-Identifier: MIT */
/*
 * Fingerprints: equal content, equal number, whatever the page sizes and the history.
 *
 * A run of pages [s, e) with one key k = (pa - va, attributes without A and D) adds
 * edge(s, k) - edge(e, k). Two adjoining runs with one key telescope into one run, so a 2 MiB
 * leaf and its 512 parts add the same; sums commute, so order does not matter.
 *
 *     table 3   sum = [ leaf ] + [ table 2: sum, cached until the writer passes ] + ...
 *
 * Parts: the sum of a leaf; the sum of a range, with caches in the tables it covers.
 */
#include <errno.h>

#include "pgtable/internal.h"

/* The finaliser of SplitMix64 (Steele, Lea, Flood 2014): each input bit reaches all output bits. */
static uint64_t mix(uint64_t x)
{
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ull;
	x = (x ^ x >> 27) * 0x94d049bb133111ebull;
	return x ^ x >> 31;
}

uint64_t pt_leaf_fingerprint(const struct pt_iter *it, uint64_t first, uint64_t last)
{
	const struct pt_format *fmt = it->pt->fmt;
	uint64_t start = pt_linear(fmt, it->va), end = pt_iter_end(it);
	uint64_t skew = fmt->address(it->old, it->level) - start;
	uint64_t attrs = fmt->get_attrs(it->old, it->level) & ~PT_AD;
	uint64_t key = mix(mix(skew) + attrs + 1);

	start = start > first ? start : first;
	end = end < last ? end : last;
	return mix(start + key) - mix(end + 1 + key);
}

static bool covered(const struct pt_iter *it, const struct pt_table *table)
{
	uint64_t size = pt_span(it->pt->fmt, table->level) << it->pt->fmt->level[table->level].bits;

	return table->linear >= it->first && table->linear + size - 1 <= it->last;
}

/* The table at `level` was left behind: its sum is part of its parent's. */
static void finish_table(struct pt_iter *it, int level, uint64_t *sum)
{
	struct pt_table *table = it->path[level];

	if (!it->pt->shared && covered(it, table)) {
		table->fingerprint = sum[level];
		table->fingerprint_valid = true;
	}
	sum[level + 1] += sum[level];
}

/* first, last: canonical, inclusive. */
static uint64_t fingerprint(struct pt *pt, uint64_t first, uint64_t last)
{
	const struct pt_format *fmt = pt->fmt;
	uint64_t sum[PT_LEVELS_MAX + 2] = {0}; /* of the part of each open table that was visited */
	int level = fmt->levels;
	struct pt_iter it;

	pt_for_each (&it, pt, first, last, 1) {
		while (level < it.level)
			finish_table(&it, level++, sum);
		if (level > it.level)
			sum[level = it.level] = 0;
		if (fmt->is_leaf(it.old, it.level)) {
			sum[level] += pt_leaf_fingerprint(&it, it.first, it.last);
		} else if (fmt->is_present(it.old, it.level)) {
			struct pt_table *table = pt->ops->find(pt->ctx, fmt->address(it.old, it.level));

			if (table->fingerprint_valid && covered(&it, table)) {
				sum[level] += table->fingerprint;
				pt_iter_skip(&it);
			}
		}
	}
	while (level <= fmt->levels)
		finish_table(&it, level++, sum);
	return sum[level];
}

int pt_fingerprint(struct pt *pt, uint64_t va, uint64_t size, uint64_t *ret_fingerprint)
{
	if (!pt_range_ok(pt->fmt, va, size))
		return -EINVAL;
	*ret_fingerprint = fingerprint(pt, va, va + size - 1);
	return 0;
}

uint64_t pt_fingerprint_all(struct pt *pt)
{
	return pt->root->fingerprint_valid ? pt->root->fingerprint : fingerprint(pt, 0, UINT64_MAX);
}
