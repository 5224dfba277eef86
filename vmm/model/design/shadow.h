/* SPDX-License-Identifier: MIT */
/*
 * A pair whose tables a hypervisor composes into one, which the CPU walks in one dimension.
 *
 *     shadow    va --> composed table --> machine address               Lg references
 *     agile     the composed table above; the lowest k levels nested    Lg + k * Lh references, none composed if k = Lg
 *
 *     composed:  entry L | ... | entry k + 1
 *                                  `--> guest's entry k --> guest's entry k - 1 --> ... --> data
 *                                       (no host's walk)     host's walk           host's walk
 *
 * In agile paging the last composed entry has the guest's table by its machine address. A leaf above level k + 1, or
 * in it, is composed. The guest's tables and the host's stand beside the composed one: usage counts all three.
 *
 * Gandhi, Hill and Swift, "Agile paging: exceeding the best of nested and shadow paging", ISCA 2016.
 */
#ifndef GNOMON_MODEL_DESIGN_SHADOW_H
#define GNOMON_MODEL_DESIGN_SHADOW_H

#include "model/design/walker.h"

/*
 * Takes over both walkers, also on failure. `pair` is the guest's and the host's tables (pair.h); `composed` is an
 * empty table in the host's memory. -ENOMEM.
 */
int must_check model_shadow_create(struct walker *pair, struct walker *composed, struct walker **ret_walker);

/* The same. The guest's tables and `composed` are radix tables of one format with `nested` levels or more. */
int must_check model_agile_create(struct walker *pair, struct walker *composed, int nested, struct walker **ret_walker);

#endif
