/* SPDX-License-Identifier: MIT */
/*
 * What follows from a format alone.
 *
 * Parts: attributes; reserved bits; the flush rule
 *
 *                new   absent   leaf, fewer rights     leaf, more rights      table
 *      old                      or elsewhere           or software bits
 *      absent          -        (denials stick)        (denials stick)        (denials stick)
 *      leaf            due      due                    (denials stick)        due
 *      table           due      due                    due                    due if another
 */
#include "pgtable/format.h"

bool pt_attrs_ok(const struct pt_format *fmt, pt_attrs_t attrs)
{
	return !(attrs & ~fmt->attrs) && fmt->allows(attrs);
}

uint64_t pt_reserved_bits(const struct pt_format *fmt, pte_t e, int level)
{
	const struct pt_level *l = &fmt->level[level];

	if (!fmt->is_present(e, level))
		return 0;
	return pte_raw(e) & (fmt->is_leaf(e, level) ? l->leaf_reserved : l->table_reserved);
}

/* Both are leaves of one level. */
static bool leaf_flush_due(const struct pt_format *fmt, pte_t old, pte_t new, int level)
{
	const pt_attrs_t lowered = PT_RWX | PT_AD;
	/* With SMAP, SMEP or SUM a user page is closed to the kernel: neither way is "more". */
	const pt_attrs_t flipped = PT_U | PT_MMIO | PT_G | PT_OWNER_MASK;
	pt_attrs_t was = fmt->get_attrs(old, level);
	pt_attrs_t is = fmt->get_attrs(new, level);

	if (fmt->address(old, level) != fmt->address(new, level))
		return true;
	if ((was & ~is & lowered) || ((was ^ is) & flipped))
		return true;
	return fmt->denials_stick && (is & ~was & PT_RWX);
}

bool pt_flush_due(const struct pt_format *fmt, pte_t old, pte_t new, int level)
{
	bool new_present = fmt->is_present(new, level);

	if (!fmt->is_present(old, level))
		return fmt->denials_stick && new_present;
	if (!new_present)
		return true;
	if (fmt->is_leaf(old, level) != fmt->is_leaf(new, level))
		return true;
	if (fmt->is_leaf(old, level))
		return leaf_flush_due(fmt, old, new, level);
	return fmt->address(old, level) != fmt->address(new, level);
}
