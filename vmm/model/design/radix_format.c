/* SPDX-License-Identifier: MIT */
/* Formats of pgtable with other levels. Entries stay x86-64's: only widths and shifts are told anew. */
#include <errno.h>

#include "model/design/radix.h"

#define WIDEST 27 /* a table of 1 GiB */

struct pt_format model_radix_format_x86(int levels)
{
	struct pt_format fmt = levels == 5 ? pt_x86_64_la57 : pt_x86_64;

	BUG_ON(levels < 1 || levels > 5);
	fmt.levels = levels;
	return fmt;
}

/* The page size that x86-64's entries can give at this level. */
static bool is_leaf_shift(int level, int shift)
{
	return shift == 12 || (level <= 3 && (shift == 21 || shift == 30));
}

int model_radix_format_flat(const uint8_t *bits, int levels, struct pt_format *ret_format)
{
	struct pt_format fmt = pt_x86_64;
	int shift = PAGE_SHIFT;

	if (levels < 1 || levels > PT_LEVELS_MAX)
		return -EINVAL;
	fmt.name = "flat";
	fmt.levels = levels;
	for (int level = 1; level <= levels; level++) {
		const uint8_t width = bits[levels - level];

		if (!width || width > WIDEST || shift + width > 57)
			return -EINVAL;
		fmt.level[level] = (struct pt_level){shift, width, is_leaf_shift(level, shift), 0, 0};
		shift += width;
	}
	*ret_format = fmt;
	return 0;
}
