/* SPDX-License-Identifier: MIT */
#include "stage2/written.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>

#define BITS 64

static uint64_t words(uint64_t pages)
{
	return (pages + BITS - 1) / BITS;
}

int written_begin(struct written *w, uint64_t end)
{
	uint64_t *bits;

	if (w->bits)
		return 0;
	bits = calloc(words(end / PAGE_SIZE), sizeof(*bits));
	if (!bits)
		return -ENOMEM;
	w->pages = end / PAGE_SIZE;
	atomic_store(&w->bits, bits);
	return 0;
}

void written_destroy(struct written *w)
{
	free(w->bits);
	*w = (struct written){0};
}

void written_note(const struct written *w, gpa_t gpa, uint64_t size)
{
	uint64_t *bits = atomic_load(&w->bits);
	uint64_t page = gpa_raw(gpa) / PAGE_SIZE;

	if (!bits || !size)
		return;
	for (const uint64_t last = (gpa_raw(gpa) + size - 1) / PAGE_SIZE; page <= last && page < w->pages;) {
		const unsigned first = page % BITS;
		const uint64_t n = last - page + 1 < BITS - first ? last - page + 1 : BITS - first;

		/* After the stores that it tells of: whoever takes the bit reads what they stored. */
		__atomic_fetch_or(&bits[page / BITS], (n == BITS ? ~0ull : (1ull << n) - 1) << first, __ATOMIC_SEQ_CST);
		page += n;
	}
}

void written_take(struct written *w, uint64_t *into)
{
	uint64_t *bits = atomic_load(&w->bits);

	for (uint64_t i = 0; bits && i < words(w->pages); i++)
		if (__atomic_load_n(&bits[i], __ATOMIC_RELAXED))
			into[i] |= __atomic_exchange_n(&bits[i], 0, __ATOMIC_SEQ_CST);
}
