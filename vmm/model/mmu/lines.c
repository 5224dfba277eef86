/* SPDX-License-Identifier: MIT */
#include "model/mmu/lines.h"

#include <errno.h>
#include <stdlib.h>

#define ALIGNMENT 64

bool lines_fit(const struct assoc_shape *shape)
{
	return shape->ways && shape->entries / shape->ways >= LINES_FEWEST_SETS && shape->policy == ASSOC_LRU &&
	       shape->index == ASSOC_MODULO;
}

int lines_init(struct lines *l, const struct assoc_shape *shape)
{
	size_t bytes;

	BUG_ON(!lines_fit(shape));
	*l = (struct lines){.sets = shape->entries / shape->ways, .ways = shape->ways, .shift = -1};
	l->stride = (l->ways + 3) / 4 * 4;
	if (!(l->sets & (l->sets - 1)))
		l->shift = __builtin_ctz(l->sets);
	bytes = (size_t)l->sets * l->stride * sizeof(*l->tag);
	bytes = (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
	l->tag = aligned_alloc(ALIGNMENT, bytes);
	if (!l->tag)
		return -ENOMEM;
	memset(l->tag, 0xff, bytes); /* no line has that tag */
	return 0;
}

void lines_destroy(struct lines *l)
{
	free(l->tag);
	*l = (struct lines){0};
}
