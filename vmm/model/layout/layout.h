/* SPDX-License-Identifier: MIT */
/*
 * What is mapped: a stream of pages that any walker can take.
 *
 *     dense     neighbours from an address on
 *     sparse    one page in each slice of 1 << gap bytes
 *     random    pages anywhere in a range
 *     mix       regions one after another, each of pages of one size, which come in random turn
 *
 * The same layout and seed give the same stream, whatever walker takes it. The order of random pages is random, too, as
 * if a program touched them. Pure.
 */
#ifndef GNOMON_MODEL_LAYOUT_LAYOUT_H
#define GNOMON_MODEL_LAYOUT_LAYOUT_H

#include <stddef.h>

#include "model/design/walker.h"

enum model_layout_kind { MODEL_DENSE, MODEL_SPARSE, MODEL_RANDOM, MODEL_MIX, MODEL_NR_LAYOUTS };

/* Names for a command line, in the order of the enum; NULL behind the last. */
const char *model_layout_name(size_t i);

struct model_layout {
	enum model_layout_kind kind;
	uint64_t seed;
	uint64_t first;     /* lowest address, a multiple of every page size in use */
	uint64_t bytes;     /* of dense, sparse and mix: to be mapped; of random: the same, within `range` */
	uint64_t range;     /* of random: pages lie in [first, first + range) */
	int page_shift;     /* of dense, sparse and random: 12, 21 or 30 */
	int gap;            /* of sparse: log2 of the slice that has one page; page_shift or more */
	unsigned share[3];  /* of mix: parts of `bytes` in 4 KiB, 2 MiB and 1 GiB pages; not all 0 */
	unsigned per_mille; /* pages that are left out, as if never touched */
};

/* One page of the stream. */
struct model_mapping {
	uint64_t va, pa;
	int page_shift;
	pt_attrs_t attrs;
};

/* What a layout needs between two pages; all zero at first. */
struct model_layout_at {
	uint64_t next;   /* pages that were looked at; of mix: in this region */
	uint64_t region; /* of mix */
};

/* -EINVAL, with a sentence in *ret_why. */
int must_check model_layout_check(const struct model_layout *layout, const char **ret_why);

/* The next page, but for its physical address. False: there is no more. */
bool model_layout_next(const struct model_layout *layout, struct model_layout_at *at, struct model_mapping *ret_page);

/*
 * Maps the whole layout, with pages from the walker's memory. `told`, if it is not NULL, hears of each page that is
 * mapped. 0; or what walker_map says (walker.h), -ENOMEM when the memory has no
 * page left: what came before stays mapped.
 */
int must_check model_layout_map(const struct model_layout *layout, struct walker *w,
                                void (*told)(void *ctx, const struct model_mapping *page), void *ctx);

#endif
