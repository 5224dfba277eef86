/* SPDX-License-Identifier: MIT */
#include "model/design/walker.h"

#include <stdlib.h>

#include "model/design/memory.h"

void walker_init(struct walker *w, const struct walker_ops *ops, struct model_memory *memory, int dimension)
{
	w->ops = ops;
	w->memory = model_memory_get(memory);
	w->dimension = dimension;
	w->va_bits = 48;
}

void walker_release(struct walker *w)
{
	model_memory_put(w->memory);
	free(w);
}
