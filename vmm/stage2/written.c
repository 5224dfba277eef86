/* SPDX-License-Identifier: MIT */
#include "stage2/written.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/bitmap.h"

int written_begin(struct written *w, uint64_t end)
{
	uint64_t *bits;

	if (w->bits)
		return 0;
	bits = calloc(bitmap_words(end / PAGE_SIZE), sizeof(*bits));
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
	uint64_t page = gpa_raw(gpa) / PAGE_SIZE, end;

	if (!bits || !size)
		return;
	end = (gpa_raw(gpa) + size - 1) / PAGE_SIZE + 1;
	if (end > w->pages)
		end = w->pages;
	while (page < end) {
		uint64_t *word = &bits[page / BITMAP_WORD];

		/* After the stores that it tells of: whoever takes the bit reads what they stored. */
		__atomic_fetch_or(word, bitmap_mask(&page, end), __ATOMIC_SEQ_CST);
	}
}

void written_take(struct written *w, uint64_t *into)
{
	uint64_t *bits = atomic_load(&w->bits);

	for (uint64_t i = 0; bits && i < bitmap_words(w->pages); i++)
		if (__atomic_load_n(&bits[i], __ATOMIC_RELAXED))
			into[i] |= __atomic_exchange_n(&bits[i], 0, __ATOMIC_SEQ_CST);
}
