/* SPDX-License-Identifier: MIT */
/*
 * A nested pair of any two designs.
 *
 *     va --> guest's entry --> guest's entry --> ... --> data           at guest physical addresses
 *               |                |                        |
 *            host's walk      host's walk              host's walk      at machine addresses
 *
 * The host maps what the guest uses: its tables as they are made, its pages as they are mapped. By default the host's
 * pages have one size. Those that a balloon took a 4 KiB page from are split (words.md: hole).
 *
 * The host's walk to each frame of the guest's tables is kept until something is mapped in the host: it is the same for
 * all entries of the frame.
 */
#ifndef GNOMON_MODEL_DESIGN_PAIR_H
#define GNOMON_MODEL_DESIGN_PAIR_H

#include "model/design/walker.h"

struct model_memory;

/* How the host maps the guest's memory. */
struct model_backing {
	int page_shift;     /* 12, 21 or 30 */
	unsigned per_mille; /* of the 2 MiB slices that have a hole: 4 KiB pages map them */
	uint64_t seed;      /* which ones */
	bool plain;         /* keep no host's walk at hand: slower, and the same. For tests */
};

/*
 * Takes over both walkers, also on failure. `memory` is the guest's physical memory: the guest's tables lie there, and
 * the pages that it leads to. -ENOMEM, and what the host's map says.
 */
int must_check model_pair_create(struct walker *guest, struct walker *host, struct model_memory *memory,
                                 const struct model_backing *backing, struct walker **ret_walker);

/* The walkers inside; NULL: no pair. Pages that the caller maps in the host by itself stay as they are. */
struct walker *model_pair_guest(const struct walker *w);
struct walker *model_pair_host(const struct walker *w);

#endif
