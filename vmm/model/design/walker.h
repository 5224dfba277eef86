/* SPDX-License-Identifier: MIT */
/*
 * A walker: one design of page tables, with its tables in simulated memory, that tells every reference of a walk.
 *
 *     va --> walker --> pa       model_walk.ref[]: the entries read, in their order
 *
 * Designs compose. A nested pair is a walker of two walkers: each entry of the guest's, and the data, lies at a guest
 * physical address, which the host's walker translates. A third stage is a walker around another one. So a design knows
 * one dimension, and pair.c and enclave.c alone know how dimensions meet.
 *
 *     what                    gives                       in
 *     struct walker           references of one walk      design/
 *     struct model_mmu        what they cost              mmu/
 *     struct model_source     the addresses to walk to    trace/
 *
 * Addresses are plain numbers here, as in pgtable: what they mean depends on the dimension. Pure; a walker belongs to one
 * thread at a time, and walking changes nothing in it.
 */
#ifndef GNOMON_MODEL_DESIGN_WALKER_H
#define GNOMON_MODEL_DESIGN_WALKER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/log.h"
#include "pgtable/format.h"

/* Whose table an entry stands in. */
enum model_dimension {
	MODEL_GUEST, /* the tables that the program's address goes through first; native ones, too */
	MODEL_HOST,  /* of a nested pair: guest physical address -> machine address */
	MODEL_ENCLAVE,
	MODEL_NR_DIMENSIONS
};

/* One read of the walker. */
struct model_ref {
	uint64_t address; /* where the entry lies, in the memory of the last dimension: a machine address */
	uint64_t key;     /* the address that this entry helps to translate; of MODEL_GUEST: the program's */
	uint8_t dimension;
	uint8_t level; /* of a radix table, from 1; 0: a hashed table, which no page-walk cache shortens */
	uint8_t of;    /* of MODEL_HOST and MODEL_ENCLAVE: the level of the guest's entry that is translated; 0: the data */
	uint8_t shift; /* radix: the entry covers 1 << shift bytes of `key` */
};

/* More references than any walk makes: five levels on five, each access checked by a third stage of four. */
#define MODEL_REFS_MAX 256

struct model_walk {
	bool mapped;
	uint8_t page_shift; /* of the smallest page on the way: what a TLB may keep */
	uint16_t nr;
	uint64_t pa; /* of the byte asked for; valid if mapped */
	struct model_ref ref[MODEL_REFS_MAX];
};

/* What the tables took to build, and what they take. */
struct model_usage {
	uint64_t pages;       /* mapped */
	uint64_t table_bytes; /* in use; of a hashed table: its whole array */
	uint64_t inserts;     /* calls of map */
	uint64_t insert_refs; /* entries read and written by them, resizes included */
	uint64_t resizes, moved; /* of hashed tables: how often, and the entries that moved */
};

/* Simulated physical memory of one dimension: where tables and pages lie. */
struct model_memory;

struct walker;

struct walker_ops {
	/*
	 * Maps the page of 1 << page_shift bytes at `va`; what was mapped there is replaced. -EINVAL: the design has no such
	 * page size, or no such address; -ENOMEM; -ENOSPC: a hashed table of fixed size is full.
	 */
	int (*map)(struct walker *w, uint64_t va, uint64_t pa, int page_shift, pt_attrs_t attrs);
	/* Every reference of the translation of `va`, up to the leaf or to the entry that ends it. */
	void (*walk)(const struct walker *w, uint64_t va, struct model_walk *ret_walk);
	void (*usage)(const struct walker *w, struct model_usage *ret_usage);
	void (*destroy)(struct walker *w);
};

/* The head of each design's own struct. */
struct walker {
	const struct walker_ops *ops;
	const char *name; /* "radix4", "cuckoo2", "radix4 on radix4": the key of its row */
};

static inline int must_check walker_map(struct walker *w, uint64_t va, uint64_t pa, int page_shift, pt_attrs_t attrs)
{
	return w->ops->map(w, va, pa, page_shift, attrs);
}

static inline void walker_walk(const struct walker *w, uint64_t va, struct model_walk *ret_walk)
{
	w->ops->walk(w, va, ret_walk);
}

static inline void walker_usage(const struct walker *w, struct model_usage *ret_usage)
{
	w->ops->usage(w, ret_usage);
}

static inline void walker_destroy(struct walker *w)
{
	w->ops->destroy(w);
}

#endif
