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

void walker_usage_beside(const struct walker *w, struct model_usage *usage)
{
	struct model_usage more;

	walker_usage(w, &more);
	usage->table_bytes += more.table_bytes;
	usage->insert_refs += more.insert_refs;
	usage->remove_refs += more.remove_refs;
	usage->resizes += more.resizes;
	usage->moved += more.moved;
}
