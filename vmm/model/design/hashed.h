/* SPDX-License-Identifier: MIT */
/*
 * What all hashed designs have in common: one table for each page size in use, the smallest probed first.
 *
 *     va --> page number --> hash --> entry: tag, and a leaf in x86-64's format
 *
 * A design says where the entry of a page number may lie (struct hashed_ops). There is no tree and no canonical
 * address: every 64-bit address has a place.
 */
#ifndef GNOMON_MODEL_DESIGN_HASHED_H
#define GNOMON_MODEL_DESIGN_HASHED_H

#include "model/design/catalogue.h"
#include "model/design/memory.h"
#include "model/design/random.h"

#define HASHED_SIZES 3 /* 4 KiB, 2 MiB, 1 GiB */

/* Places of the parameters that all have. */
enum { HASHED_LOAD, HASHED_SLOTS };

#define HASHED_SLOTS_PARAM                                                                                             \
	{                                                                                                              \
		"slots", "the number of slots at first", 8, 1 << 28, 1024                                              \
	}

#define HASHED_SHARING "supported, but not in the table: each process has an entry of its own for a shared page"

/* The head of each design's table for one page size. */
struct hash_table {
	int shift;
};

struct hashed {
	struct walker w;
	const struct hashed_ops *ops;
	struct model_args args;
	struct hash_table *table[HASHED_SIZES]; /* NULL: no page of this size was mapped */
	struct model_usage usage;
};

struct hashed_ops {
	/* An empty table; shift is set by the caller. -ENOMEM. */
	int (*create)(struct hashed *h, int shift, struct hash_table **ret_table);
	/*
	 * Puts the leaf of page number `vpn` in; what was there for it is replaced. Counts in h->usage, all but
	 * `inserts`.
	 * -ENOMEM, -ENOSPC, -EEXIST: nothing is changed.
	 */
	int (*insert)(struct hashed *h, struct hash_table *t, uint64_t vpn, pte_t leaf);
	/* Takes the leaf out. Counts in h->usage, all but `removes`. Returns it; 0: there is none. */
	uint64_t (*remove)(struct hashed *h, struct hash_table *t, uint64_t vpn);
	/* Adds the entries that are read on the way to the leaf of `va` to *walk. Returns it; 0: there is none. */
	uint64_t (*find)(const struct hashed *h, const struct hash_table *t, uint64_t va, struct model_walk *walk);
	/* Optional: frees what the table has beside its struct and the simulated memory. */
	void (*destroy)(struct hash_table *t);
};

/* model_design.create of all hashed designs; `with` is their struct hashed_ops. */
int must_check hashed_create(const struct model_args *args, struct model_memory *memory, enum model_dimension dimension,
                             struct walker **ret_walker);

/* model_design.check: the number of slots is a power of two. */
const char *hashed_check(const struct model_args *args);

static inline void hashed_read(const struct hashed *h, const struct hash_table *t, uint64_t va, uint64_t address,
                               struct model_walk *walk)
{
	model_walk_add(walk, (struct model_ref){address, va, h->w.dimension, 0, walk->of, t->shift});
}

/* `count` zeroed entries of `size` bytes in the simulated memory, counted in usage.table_bytes. -ENOMEM. */
int must_check hashed_array(struct hashed *h, uint64_t count, uint64_t size, void **ret_entries);
void hashed_free_array(struct hashed *h, void *entries, uint64_t count, uint64_t size);

/* A tag tells a used entry from an empty one, which is 0. */
static inline uint64_t hashed_tag(uint64_t vpn)
{
	return vpn + 1;
}

/* Where the simulated memory has an entry. */
static inline uint64_t hashed_address(const struct hashed *h, const void *entry)
{
	return model_memory_address(h->w.memory, entry);
}

#endif
