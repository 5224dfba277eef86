/* SPDX-License-Identifier: MIT */
/*
 * A walker: one design of page tables, with its tables in simulated memory, that tells every reference of a walk.
 *
 *     va --> walker --> pa       model_walk.ref[]: the entries read, in their order
 *
 * Designs compose. A nested pair is a walker of two walkers: each entry of the guest's, and the data, lies at a guest
 * physical address, which the host's walker translates. A third stage is a walker around another one. So a design knows
 * one dimension; pair.c, enclave.c and shadow.c alone know how dimensions meet.
 *
 *     what                    gives                       in
 *     struct walker           references of one walk      design/
 *     struct model_mmu        what they cost              mmu/
 *     struct model_source     the addresses to walk to    trace/
 *
 * Addresses are plain numbers here, as in pgtable: what they mean depends on the dimension. Pure; a walker belongs to
 * one thread at a time, and walking changes nothing that a caller can see.
 */
#ifndef GNOMON_MODEL_DESIGN_WALKER_H
#define GNOMON_MODEL_DESIGN_WALKER_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/log.h"
#include "pgtable/format.h"

/* Whose table an entry stands in. */
enum model_dimension {
	MODEL_GUEST, /* the tables that the program's address goes through first; native ones, too */
	MODEL_HOST,  /* of a nested pair: guest physical address -> machine address */
	MODEL_ENCLAVE,
	MODEL_NR_DIMENSIONS
};

/* model_ref.of: an entry of a hashed table, which has no level. */
#define MODEL_OF_HASHED 255

/* One read of the walker. */
struct model_ref {
	uint64_t address; /* where the entry lies, in the memory of the last dimension: a machine address */
	uint64_t key;     /* the address that this entry helps to translate; of MODEL_GUEST: the program's */
	uint8_t dimension;
	uint8_t level; /* of a radix table, from 1; 0: a hashed table, which no page-walk cache shortens */
	uint8_t of;    /* MODEL_HOST, MODEL_ENCLAVE: level of the guest's entry that is translated; 0: the data */
	uint8_t shift; /* radix: the entry covers 1 << shift bytes of `key`; hashed: the page size that is looked for */
};

/* All of a reference but address and key, as one word: references are copied in the hot loops. */
static inline uint32_t model_ref_where(const struct model_ref *ref)
{
	uint32_t where;

	memcpy(&where, (const char *)ref + offsetof(struct model_ref, dimension), sizeof(where));
	return where;
}

static inline void model_ref_set(struct model_ref *ref, uint64_t address, uint64_t key, uint32_t where)
{
	ref->address = address;
	ref->key = key;
	memcpy((char *)ref + offsetof(struct model_ref, dimension), &where, sizeof(where));
}

/* More than radix tables need: five levels on five, each access checked by a third stage of four, make 179. */
#define MODEL_REFS_MAX 1024

/* Places behind them, so that a radix walk needs to ask only once whether there is room. */
#define MODEL_REFS_SPARE 8

struct model_walk {
	bool mapped;
	uint8_t page_shift; /* of the smallest page on the way: what a TLB may keep */
	uint8_t of;         /* model_ref.of of the references to come: for the walker around this one */
	uint32_t nr;        /* all references */
	uint64_t pa;        /* of the byte asked for; valid if mapped */
	struct model_ref ref[MODEL_REFS_MAX + MODEL_REFS_SPARE]; /* the first ones; model_walk_kept() */
};

/* References that ref[] has. Only hashed tables on hashed tables, nearly full, make more. */
static inline unsigned model_walk_kept(const struct model_walk *walk)
{
	return walk->nr < MODEL_REFS_MAX ? walk->nr : MODEL_REFS_MAX;
}

/* Where the next ones go, MODEL_REFS_SPARE at most; the caller counts them. */
static inline struct model_ref *model_walk_next(struct model_walk *walk)
{
	return &walk->ref[model_walk_kept(walk)];
}

static inline void model_walk_add(struct model_walk *walk, struct model_ref ref)
{
	*model_walk_next(walk) = ref;
	walk->nr++;
}

/* What the tables took to build, and what they take. */
struct model_usage {
	uint64_t pages;          /* mapped */
	uint64_t table_bytes;    /* in use; of a hashed table: its whole array */
	uint64_t inserts;        /* calls of map */
	uint64_t insert_refs;    /* entries read and written by them, resizes included */
	uint64_t removes;        /* calls of unmap that took a page away */
	uint64_t remove_refs;    /* entries read and written by them */
	uint64_t resizes, moved; /* of hashed tables: how often, and the entries that moved */
};

struct model_memory;
struct walker;

/* A walk that will be made: all zero but for `va` and `known`. */
struct walker_ahead {
	uint64_t va;                         /* in the dimension that is at work */
	uint64_t pa;                         /* of the byte */
	uint64_t entry[MODEL_NR_DIMENSIONS]; /* where the leaves' entries lie, which are read last: machine addresses */
	const uint64_t *leaf;                /* the entry that is being fetched */
	uint8_t nr;                          /* of `entry` */
	uint8_t shift;                       /* of the page of `leaf` */
	bool known; /* at first: va; then: all of these. False: nobody knows, and nobody looks */
};

struct walker_ops {
	/*
	 * Maps the page of 1 << page_shift bytes at `va`; what was mapped there is replaced. A design without this page
	 * size maps as many smaller ones. Attributes that the entries cannot hold are left out.
	 * -EINVAL: the design has no such address, or not these rights; -EEXIST: a page of another size is in the way,
	 * or an inverted table has the frame at another address; -ENOMEM; -ENOSPC: a hashed table is full. After a
	 * failure parts of the page may be mapped.
	 */
	int (*map)(struct walker *w, uint64_t va, uint64_t pa, int page_shift, pt_attrs_t attrs);
	/* Adds every reference of the translation of `va` to *walk, up to the leaf or to the entry that ends it. */
	void (*walk)(const struct walker *w, uint64_t va, struct model_walk *walk);
	void (*usage)(const struct walker *w, struct model_usage *ret_usage);
	void (*destroy)(struct walker *w);
	/*
	 * Unmaps the page of 1 << page_shift bytes at `va` that was mapped so, and gives what was mapped there. Tables stay,
	 * and so do the pages of a host below. -ENOENT: no such page is mapped. NULL: the design only grows.
	 */
	int (*unmap)(struct walker *w, uint64_t va, int page_shift, uint64_t *ret_pa);
	/*
	 * Before nr walks are made: fetches into the caches of the CPU that runs the model what they read last, one thing for
	 * all of them before the next, and tells where it lies. Nothing that a caller can see changes. NULL: nothing is to
	 * be won.
	 */
	void (*ahead)(const struct walker *w, struct walker_ahead *a, size_t nr);
};

/* The head of each design's own struct. */
struct walker {
	const struct walker_ops *ops;
	struct model_memory *memory; /* where the pages lie that it maps: model_memory_page() gives them */
	uint8_t dimension;           /* of its entries */
	uint8_t va_bits;             /* all addresses below 1 << va_bits can be mapped */
	uint64_t changes; /* calls of walker_map and walker_unmap: what was read before may not be so any more */
	char name[64];               /* as model_design_parse reads it: the key of its row */
};

/*
 * Pages of different sizes must not overlap. Radix tables notice; hashed tables have one table for each size and do
 * not.
 */
static inline int must_check walker_map(struct walker *w, uint64_t va, uint64_t pa, int page_shift, pt_attrs_t attrs)
{
	w->changes++;
	return w->ops->map(w, va, pa, page_shift, attrs);
}

/* -ENOTSUP: the design only grows. */
static inline int must_check walker_unmap(struct walker *w, uint64_t va, int page_shift, uint64_t *ret_pa)
{
	w->changes++;
	return w->ops->unmap ? w->ops->unmap(w, va, page_shift, ret_pa) : -ENOTSUP;
}

static inline void walker_walk(const struct walker *w, uint64_t va, struct model_walk *ret_walk)
{
	ret_walk->nr = 0;
	ret_walk->of = 0;
	w->ops->walk(w, va, ret_walk);
}

static inline void walker_usage(const struct walker *w, struct model_usage *ret_usage)
{
	w->ops->usage(w, ret_usage);
}

/* For designs: adds what another walker's tables took, without its pages and its calls of map. */
void walker_usage_beside(const struct walker *w, struct model_usage *usage);

/* Also gives back the walkers and memories inside. */
static inline void walker_destroy(struct walker *w)
{
	w->ops->destroy(w);
}

/* For designs: sets the head up, and holds the memory until walker_release. Reaches 48 bits until told otherwise. */
void walker_init(struct walker *w, const struct walker_ops *ops, struct model_memory *memory, int dimension);

/* The last step of a design's destroy: lets go of the memory and frees the struct, whose first member this is. */
void walker_release(struct walker *w);

#endif
