/* SPDX-License-Identifier: MIT */
#include "stage2/lent.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

int lent_init(struct lent *l, uint64_t end)
{
	uint8_t *owner;

	if (l->owner)
		return 0;
	owner = calloc(end / PAGE_SIZE, 1);
	if (!owner)
		return -ENOMEM;
	l->pages = end / PAGE_SIZE;
	atomic_store(&l->owner, owner);
	return 0;
}

void lent_destroy(struct lent *l)
{
	free(l->owner);
	*l = (struct lent){0};
}

void lent_forget(struct lent *l)
{
	if (l->owner)
		lent_set(l, gpa_init(0), l->pages * PAGE_SIZE, 0);
}

void lent_set(struct lent *l, gpa_t gpa, uint64_t size, unsigned owner)
{
	uint8_t *first = l->owner + gpa_raw(gpa) / PAGE_SIZE;

	for (uint64_t i = 0; i < size / PAGE_SIZE; i++)
		__atomic_store_n(first + i, (uint8_t)owner, __ATOMIC_RELAXED);
}

unsigned lent_to(const struct lent *l, gpa_t gpa, uint64_t size)
{
	const uint64_t first = gpa_raw(gpa) / PAGE_SIZE, n = (size + PAGE_SIZE - 1) / PAGE_SIZE;
	const uint8_t *owner = atomic_load(&l->owner);
	unsigned to = 0;

	for (uint64_t i = 0; owner && !to && i < n && first + i < l->pages; i++)
		to = __atomic_load_n(owner + first + i, __ATOMIC_RELAXED);
	return to;
}

void lent_copy(const struct lent *l, const void *from, uint64_t size)
{
	if (l->content)
		memcpy(l->content, from, size);
}
