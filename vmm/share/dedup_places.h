/* SPDX-License-Identifier: MIT */
/*
 * Where the pages of the guests that take part lie now, so that what was merged before is not merged again. A number for
 * each page: the same number means the same page of the host.
 */
#ifndef GNOMON_SHARE_DEDUP_PLACES_H
#define GNOMON_SHARE_DEDUP_PLACES_H

#include "share/dedup.h"

#define DEDUP_NOTHING 0ull  /* it costs nothing */
#define DEDUP_OWN     ~0ull /* one guest's alone */

struct dedup_places {
	uint64_t *page[DEDUP_GUESTS]; /* by guest; NULL: not known, all pages are its own */
	uint64_t pages[DEDUP_GUESTS];
};

/* Of a guest with so many pages nothing costs anything yet. -ENOMEM. */
int must_check dedup_places_begin(struct dedup_places *h, unsigned guest, uint64_t pages);
/* What lies outside is left out. Store 0: the guest's own pages; else the page `offset` of the store and what follows. */
void dedup_places_add(struct dedup_places *h, unsigned guest, uint64_t page, uint64_t pages, uint64_t store,
                      uint64_t offset);
void dedup_places_free(struct dedup_places *h);

/* Page `i` of `n` pieces with one hash is there only once. */
bool dedup_places_once(const struct dedup_places *h, const struct dedup_piece *piece, size_t n, uint64_t i);

#endif
