/* SPDX-License-Identifier: MIT */
#include "model/design/enclave.h"

#include <errno.h>
#include <gnomon/addr.h>
#include <stdlib.h>

#include "model/design/memory.h"
#include "model/design/radix.h"

struct enclave {
	struct walker w;
	struct walker *inner, *stage;
	struct model_memory *machine;
	enum walk_reading reading;
	struct model_memory_seen owned; /* of the machine's memory */
};

static int own(void *enclave, uint64_t first, uint64_t bytes)
{
	struct enclave *e = enclave;
	int r = 0;

	for (uint64_t at = first & PAGE_MASK; r == 0 && at < first + bytes; at += PAGE_SIZE)
		r = walker_map(e->stage, at, at, PAGE_SHIFT, PT_RWX | PT_OWNER(1));
	return r;
}

static int enclave_map(struct walker *w, uint64_t va, uint64_t pa, int page_shift, pt_attrs_t attrs)
{
	struct enclave *e = (struct enclave *)w;
	int r = walker_map(e->inner, va, pa, page_shift, attrs);

	if (r == 0)
		r = model_memory_news(e->machine, &e->owned, own, e);
	/* Else a host maps `pa`, to pages of the machine's that were given out. */
	if (r == 0 && e->inner->memory == e->machine)
		r = own(e, pa, 1ull << page_shift);
	return r;
}

/* The frame stays the enclave's. */
static int enclave_unmap(struct walker *w, uint64_t va, int page_shift, uint64_t *ret_pa)
{
	return walker_unmap(((struct enclave *)w)->inner, va, page_shift, ret_pa);
}

/* False: the frame is not owned. */
static bool check(const struct enclave *e, uint64_t maddr, uint8_t of, struct model_walk *walk)
{
	walk->of = of;
	e->stage->ops->walk(e->stage, maddr, walk);
	return walk->mapped;
}

static void enclave_walk(const struct walker *w, uint64_t va, struct model_walk *walk)
{
	const struct enclave *e = (const struct enclave *)w;
	struct model_walk inner;
	unsigned kept;

	walker_walk(e->inner, va, &inner);
	kept = model_walk_kept(&inner);
	for (unsigned i = 0; i < kept; i++) {
		const struct model_ref *ref = &inner.ref[i];
		const uint8_t of =
		    ref->dimension == MODEL_GUEST ? (ref->level ? ref->level : MODEL_OF_HASHED) : ref->of;

		if ((ref->dimension == MODEL_GUEST || e->reading == WALK_CHECK_EVERY) &&
		    !check(e, ref->address, of, walk))
			return;
		model_walk_add(walk, *ref);
	}
	walk->nr += inner.nr - kept;
	walk->mapped = inner.mapped && check(e, inner.pa, 0, walk);
	walk->page_shift = inner.page_shift;
	walk->pa = inner.pa;
}

static void enclave_usage(const struct walker *w, struct model_usage *ret_usage)
{
	const struct enclave *e = (const struct enclave *)w;

	walker_usage(e->inner, ret_usage);
	walker_usage_beside(e->stage, ret_usage);
}

static void enclave_destroy(struct walker *w)
{
	struct enclave *e = (struct enclave *)w;

	if (e->stage)
		walker_destroy(e->stage);
	walker_destroy(e->inner);
	model_memory_put(e->machine);
	walker_release(w);
}

static const struct walker_ops enclave_ops = {.map = enclave_map,
                                              .walk = enclave_walk,
                                              .usage = enclave_usage,
                                              .destroy = enclave_destroy,
                                              .unmap = enclave_unmap};

/* The enclave format with `depth` levels that reach over `bytes`. */
static struct pt_format stage_format(int depth, uint64_t bytes)
{
	struct pt_format fmt = pt_enclave;
	int shift = PAGE_SHIFT, bits = 1;

	while (bytes > PAGE_SIZE << bits)
		bits++;
	fmt.levels = depth;
	for (int level = 1; level <= depth; level++) {
		const int left = depth - level + 1, width = (bits + left - 1) / left;

		fmt.level[level] = (struct pt_level){shift, width ? width : 1, level == 1, 0, 0};
		shift += fmt.level[level].bits;
		bits -= width;
	}
	return fmt;
}

static int create_stage(struct enclave *e, int depth, uint64_t limit)
{
	const uint64_t bytes = e->machine->data + e->machine->limit;
	const struct pt_format fmt = stage_format(depth, bytes);
	struct model_memory *own_tables;
	int r = model_memory_create(bytes, limit, &own_tables);

	if (r < 0)
		return r;
	r = model_radix_create(&fmt, own_tables, MODEL_ENCLAVE, &e->stage);
	model_memory_put(own_tables);
	return r < 0 ? r : model_memory_news(e->machine, &e->owned, own, e);
}

int model_enclave_create(struct walker *inner, struct model_memory *machine, uint64_t limit, int depth,
                         enum walk_reading reading, struct walker **ret_walker)
{
	struct enclave *e = calloc(1, sizeof(*e));
	int r;

	BUG_ON(depth < 1 || depth > MODEL_ENCLAVE_DEPTH);
	if (!e) {
		walker_destroy(inner);
		return -ENOMEM;
	}
	walker_init(&e->w, &enclave_ops, inner->memory, MODEL_GUEST);
	e->w.va_bits = inner->va_bits;
	e->inner = inner;
	e->machine = model_memory_get(machine);
	e->reading = reading;
	r = create_stage(e, depth, limit);
	if (r < 0) {
		walker_destroy(&e->w);
		return r;
	}
	*ret_walker = &e->w;
	return 0;
}
