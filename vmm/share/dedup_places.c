/* SPDX-License-Identifier: MIT */
#include "share/dedup_places.h"

#include <errno.h>
#include <stdlib.h>

#define STORE_SHIFT 32 /* of a number: below it the page in the store */

int dedup_places_begin(struct dedup_places *h, unsigned guest, uint64_t pages)
{
	h->page[guest] = calloc(pages, sizeof(*h->page[guest]));
	h->pages[guest] = pages;
	return h->page[guest] ? 0 : -ENOMEM;
}

void dedup_places_add(struct dedup_places *h, unsigned guest, uint64_t page, uint64_t pages, uint64_t store,
                      uint64_t offset)
{
	for (uint64_t i = 0; i < pages && page + i < h->pages[guest]; i++)
		h->page[guest][page + i] = store ? store << STORE_SHIFT | (uint32_t)(offset + i) : DEDUP_OWN;
}

void dedup_places_free(struct dedup_places *h)
{
	for (unsigned g = 0; g < DEDUP_GUESTS; g++)
		free(h->page[g]);
	*h = (struct dedup_places){0};
}

static uint64_t at(const struct dedup_places *h, const struct dedup_piece *p, uint64_t i)
{
	if (!h->page[p->guest] || p->page + i >= h->pages[p->guest])
		return DEDUP_OWN;
	return h->page[p->guest][p->page + i];
}

bool dedup_places_once(const struct dedup_places *h, const struct dedup_piece *piece, size_t n, uint64_t i)
{
	uint64_t first = DEDUP_NOTHING;

	for (size_t k = 0; k < n; k++) {
		const uint64_t here = at(h, &piece[k], i);

		if (here == DEDUP_NOTHING || here == first)
			continue;
		if (here == DEDUP_OWN || first != DEDUP_NOTHING)
			return false;
		first = here;
	}
	return true;
}
