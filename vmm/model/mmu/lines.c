/* SPDX-License-Identifier: MIT */
#include "model/mmu/lines.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define ALIGNMENT 64
#define HUGE      ((size_t)2 << 20)

bool lines_fit(const struct assoc_shape *shape)
{
	return shape->ways && shape->entries / shape->ways >= LINES_FEWEST_SETS && shape->policy == ASSOC_LRU &&
	       shape->index == ASSOC_MODULO;
}

int lines_init(struct lines *l, const struct assoc_shape *shape)
{
	size_t bytes, alignment;

	BUG_ON(!lines_fit(shape));
	*l = (struct lines){.sets = shape->entries / shape->ways, .ways = shape->ways, .shift = -1};
	l->stride = (l->ways + 3) / 4 * 4;
	if (!(l->sets & (l->sets - 1)))
		l->shift = __builtin_ctz(l->sets);
	bytes = (size_t)l->sets * l->stride * sizeof(*l->tag);
	alignment = bytes >= HUGE ? HUGE : ALIGNMENT;
	bytes = (bytes + alignment - 1) / alignment * alignment;
	l->tag = aligned_alloc(alignment, bytes);
	if (!l->tag)
		return -ENOMEM;
	if (alignment == HUGE) /* it is read all over: with small pages the TLB of this CPU would miss, too */
		(void)madvise(l->tag, bytes, MADV_HUGEPAGE);
	memset(l->tag, 0xff, bytes); /* LINES_NONE */
	return 0;
}

void lines_destroy(struct lines *l)
{
	free(l->tag);
	*l = (struct lines){0};
}
