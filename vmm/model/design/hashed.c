/* SPDX-License-Identifier: MIT */
#include "model/design/hashed.h"

#include <errno.h>
#include <stdlib.h>

/* x86-64's leaves are large from level 2 on. */
static int level_of(int size)
{
	return size + 1;
}

static int size_of_shift(int shift)
{
	return shift == 12 ? 0 : shift == 21 ? 1 : shift == 30 ? 2 : -1;
}

static int hashed_map(struct walker *w, uint64_t va, uint64_t pa, int page_shift, pt_attrs_t attrs)
{
	struct hashed *h = (struct hashed *)w;
	const struct pt_format *fmt = &pt_x86_64;
	const int size = size_of_shift(page_shift);
	int r = 0;

	attrs &= fmt->attrs;
	if (size < 0 || (va | pa) & ((1ull << page_shift) - 1) || !fmt->allows(attrs) || pa >> fmt->phys_bits)
		return -EINVAL;
	if (!h->table[size]) {
		r = h->ops->create(h, page_shift, &h->table[size]);
		if (r == 0)
			h->table[size]->shift = page_shift;
	}
	h->usage.inserts++;
	return r < 0 ? r
	             : h->ops->insert(h, h->table[size], va >> page_shift, fmt->make_leaf(level_of(size), pa, attrs));
}

static int hashed_unmap(struct walker *w, uint64_t va, int page_shift, uint64_t *ret_pa)
{
	struct hashed *h = (struct hashed *)w;
	const int size = size_of_shift(page_shift);
	const bool has = size >= 0 && h->table[size];
	const uint64_t refs = h->usage.remove_refs;
	const uint64_t leaf = has ? h->ops->remove(h, h->table[size], va >> page_shift) : 0;

	if (!leaf) {
		h->usage.remove_refs = refs;
		return -ENOENT;
	}
	h->usage.removes++;
	h->usage.pages--;
	*ret_pa = pt_x86_64.address(pte_init(leaf), level_of(size));
	return 0;
}

static void hashed_walk(const struct walker *w, uint64_t va, struct model_walk *walk)
{
	const struct hashed *h = (const struct hashed *)w;

	walk->mapped = false;
	walk->page_shift = PAGE_SHIFT;
	for (int size = 0; size < HASHED_SIZES; size++) {
		const struct hash_table *t = h->table[size];
		const uint64_t leaf = t ? h->ops->find(h, t, va, walk) : 0;

		if (leaf) {
			walk->mapped = true;
			walk->page_shift = t->shift;
			walk->pa = pt_x86_64.address(pte_init(leaf), level_of(size)) | (va & ((1ull << t->shift) - 1));
			return;
		}
	}
}

static void hashed_usage(const struct walker *w, struct model_usage *ret_usage)
{
	*ret_usage = ((const struct hashed *)w)->usage;
}

static void hashed_destroy(struct walker *w)
{
	struct hashed *h = (struct hashed *)w;

	for (int size = 0; size < HASHED_SIZES; size++) {
		if (h->table[size] && h->ops->destroy)
			h->ops->destroy(h->table[size]);
		free(h->table[size]);
	}
	walker_release(w);
}

static const struct walker_ops ops_of_walker = {
    .map = hashed_map, .walk = hashed_walk, .usage = hashed_usage, .destroy = hashed_destroy, .unmap = hashed_unmap};

int hashed_create(const struct model_args *args, struct model_memory *memory, enum model_dimension dimension,
                  struct walker **ret_walker)
{
	struct hashed *h = calloc(1, sizeof(*h));

	if (!h)
		return -ENOMEM;
	walker_init(&h->w, &ops_of_walker, memory, dimension);
	h->ops = args->design->with;
	h->args = *args;
	*ret_walker = &h->w;
	return 0;
}

const char *hashed_check(const struct model_args *args)
{
	const double slots = args->value[HASHED_SLOTS];
	const uint64_t n = (uint64_t)slots;

	return n == slots && !(n & (n - 1)) ? NULL : "a power of two of slots";
}

static uint64_t array_bytes(uint64_t count, uint64_t size)
{
	return round_up(count * size, PAGE_SIZE);
}

int hashed_array(struct hashed *h, uint64_t count, uint64_t size, void **ret_entries)
{
	uint64_t address;
	const int r = model_memory_table(h->w.memory, array_bytes(count, size), &address);

	if (r < 0)
		return r;
	h->usage.table_bytes += array_bytes(count, size);
	*ret_entries = model_memory_at(h->w.memory, address);
	return 0;
}

void hashed_free_array(struct hashed *h, void *entries, uint64_t count, uint64_t size)
{
	h->usage.table_bytes -= array_bytes(count, size);
	model_memory_free(h->w.memory, hashed_address(h, entries), array_bytes(count, size));
}
