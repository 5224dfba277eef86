/* SPDX-License-Identifier: MIT */
#include "vm/lent.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int lent_init(struct lent *l, uint64_t end)
{
	if (l->owner)
		return 0;
	l->owner = calloc(end / PAGE_SIZE, 1);
	if (!l->owner)
		return -ENOMEM;
	l->pages = end / PAGE_SIZE;
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
		memset(l->owner, 0, l->pages);
}

void lent_set(struct lent *l, gpa_t gpa, uint64_t size, unsigned owner)
{
	memset(l->owner + gpa_raw(gpa) / PAGE_SIZE, (int)owner, size / PAGE_SIZE);
}

unsigned lent_to(const struct lent *l, gpa_t gpa, uint64_t size)
{
	const uint64_t first = gpa_raw(gpa) / PAGE_SIZE, n = size / PAGE_SIZE;

	for (uint64_t i = 0; l->owner && i < n && first + i < l->pages; i++)
		if (l->owner[first + i])
			return l->owner[first + i];
	return 0;
}

void lent_copy(const struct lent *l, const void *from, uint64_t size)
{
	if (l->content)
		memcpy(l->content, from, size);
}
