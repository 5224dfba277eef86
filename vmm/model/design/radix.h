/* SPDX-License-Identifier: MIT */
/*
 * A tree of tables in any format of pgtable: x86-64 with 1 to 5 levels, Sv39, Sv48, Sv57, flattened levels.
 *
 * Beside each entry stands what the format's functions say of it: where it points, and whether it is a leaf. So entries
 * are read through the format once, when they are written, and a walk calls no function.
 */
#ifndef GNOMON_MODEL_DESIGN_RADIX_H
#define GNOMON_MODEL_DESIGN_RADIX_H

#include "model/design/walker.h"

struct model_memory;

/*
 * An empty tree; `fmt` is copied. As MODEL_HOST its input addresses are physical: they have no sign. A format may have
 * wider tables than 512 entries. -ENOMEM. Undone by walker_destroy.
 */
int must_check model_radix_create(const struct pt_format *fmt, struct model_memory *memory,
                                  enum model_dimension dimension, struct walker **ret_walker);

/*
 * For agile paging: the entry for `va` at this level leads to a table that is not the tree's own. A walk ends there,
 * not mapped, with that table's address as its pa. -EINVAL, -EEXIST: a leaf is in the way; -ENOMEM.
 */
int must_check model_radix_link(struct walker *w, uint64_t va, int level, uint64_t address);

/* NULL: another design. */
const struct pt_format *model_radix_format(const struct walker *w);

/* x86-64's entries in tables of 1 to 5 levels. */
struct pt_format model_radix_format_x86(int levels);

/*
 * x86-64's entries in tables of the widths that are given, the root's first. -EINVAL: no level or more than five, a
 * width that is not 1 to 27, or more than 57 bits with the offset.
 */
int must_check model_radix_format_flat(const uint8_t *bits, int levels, struct pt_format *ret_format);

#endif
