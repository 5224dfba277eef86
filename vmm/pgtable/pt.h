/* SPDX-License-Identifier: MIT */
/*
 * A tree of page tables in some format (format.h), and what can be done to it.
 *
 *     pt_map, pt_protect, pt_zap      ranges                        map.c
 *     pt_split, pt_collapse           page sizes                    split.c
 *     pt_lookup                       one address                   iter.c
 *     pt_dump, pt_audit               the whole                     dump.c audit.c
 *          |
 *     pt_for_each (one walker) + pt_set (one writer)                iter.c write.c
 *
 * Addresses: `va` is what the tree translates (whatever kind: gva, gpa or maddr) in canonical
 * form, `pa` what it yields. Both are plain numbers here; the owner of a tree wraps this
 * interface in its own address kinds. Sizes are bytes. Ranges are whole pages, do not wrap
 * and, in a format with sign extension, stay within one half.
 *
 * Locks: the caller serialises all functions that change a tree, and pt_audit. Against the CPU, which sets A and D bits at any time, the writer's
 * compare-and-swap protects. pt_lookup, pt_dump and pt_for_each need no lock as long as
 * pt_gather_finish waits for those who read.
 *
 * Flushes: nothing here flushes. Operations note in a `struct pt_gather` whether a flush is
 * due, for which range, and which tables it keeps alive. The caller, before it drops the
 * lock, flushes every CPU that may hold a translation, then calls pt_gather_finish; frames
 * that were unmapped may be given back only after that.
 *
 * Failure: an operation that can fail does so before its first change; tables that it
 * needs come from the pool, which it fills beforehand.
 */
#ifndef GNOMON_PGTABLE_PT_H
#define GNOMON_PGTABLE_PT_H

#include <stddef.h>

#include "base/log.h"
#include "pgtable/format.h"

struct pt;

/*
 * One table page. The allocator owns this struct and the page, usually with the struct
 * embedded in one of its own; it sets the first two fields, the engine has the rest.
 */
struct pt_table {
	uint64_t address; /* what an entry that points here holds */
	uint64_t *entry;  /* the page; read and written through pt_for_each and pt_set only */

	struct pt_table *next; /* in the pool or in a gather */
	int level;             /* of its entries, while linked */
	uint64_t linear;       /* first address it translates, sign extension off */
	unsigned present;      /* entries that are */
	bool collapsed;        /* in a gather: a leaf took over, A and D are still to be collected */
};

/* One change of one entry, told after it is visible. */
struct pt_change {
	uint64_t va;
	int level;
	pte_t old, new;
	bool dirty; /* a D bit leaves the tree with `old`: whoever tracks writes must take note now */
};

struct pt_ops {
	/* A zeroed table page, or NULL. */
	struct pt_table *(*alloc)(void *ctx);
	void (*free)(void *ctx, struct pt_table *table);
	/* The table at an address that `alloc` gave; NULL for any other address. */
	struct pt_table *(*find)(void *ctx, uint64_t address);
	/* Optional: reverse map and other observers. Must not change the tree. */
	void (*changed)(void *ctx, const struct pt_change *change);
	/*
	 * Optional: stores to a live entry in place of the engine, if it holds `old`; returns what
	 * it held. For tables that only the guest's CPU may write.
	 */
	pte_t (*cmpxchg)(void *ctx, struct pt_table *table, unsigned index, pte_t old, pte_t new);
};

struct pt {
	const struct pt_format *fmt;
	const struct pt_ops *ops;
	void *ctx;
	struct pt_table *root;
	/*
	 * Tables may be linked at several places, by the owner through pt_set. Then a table's content
	 * is not counted, cleared or freed with a link to it: the owner sees each link through `changed`
	 * and counts references.
	 */
	bool shared;
	struct pt_table *pool;
	unsigned pool_count;
	uint64_t tables;                    /* linked, with the root */
	uint64_t leaves[PT_LEVELS_MAX + 1]; /* present, by level */
};

/* An empty tree: takes one table for the root. -ENOMEM. Undone by pt_destroy. */
int must_check pt_init(struct pt *pt, const struct pt_format *fmt, const struct pt_ops *ops, void *ctx);

/* Frees all tables and the pool. No CPU may use the tree any more; `changed` is not told. Not for shared tables. */
void pt_destroy(struct pt *pt);

/* Fills the pool up to `nr` tables. -ENOMEM leaves what was got in the pool. */
int must_check pt_pool_reserve(struct pt *pt, unsigned nr);

/* ---- what is owed after changes ---- */

struct pt_gather {
	bool due;                /* a flush of [first, last] is owed */
	uint64_t first, last;    /* canonical; meaningful when due */
	struct pt_table *tables; /* unlinked, still in reach of a CPU until the flush */
	unsigned nr_tables;
};

#define PT_GATHER_INIT ((struct pt_gather){0})

/*
 * After the flush: moves A and D bits that CPUs set in collapsed tables meanwhile to the leaf
 * above, frees the tables and empties `g`. Same lock hold as the operations that filled it.
 */
void pt_gather_finish(struct pt *pt, struct pt_gather *g);

/* ---- the walker ---- */

/*
 * Pre-order: each entry, absent or present, at `level` and `va`; then what is below it.
 * `old` is the only look at the entry: a live entry is never read a second time.
 */
struct pt_iter {
	struct pt *pt;
	uint64_t va;
	int level;
	pte_t old;
	bool valid;

	struct pt_table *path[PT_LEVELS_MAX + 1]; /* the table that holds the entry at each level */
	pte_t seen[PT_LEVELS_MAX + 1];
	int root_level, min_level;
	uint64_t first, last, at; /* sign extension off, as all inside */
	bool skip, again;
};

/* Positions at the first entry that covers a part of [first, last], at the root. Both are inclusive and canonical. */
void pt_iter_start(struct pt_iter *it, struct pt *pt, uint64_t first, uint64_t last, int min_level);
void pt_iter_next(struct pt_iter *it);

/* Do not go below this entry. */
static inline void pt_iter_skip(struct pt_iter *it)
{
	it->skip = true;
}

/* Visit this entry once more, with a fresh snapshot: for a body that lost a race. */
static inline void pt_iter_restart(struct pt_iter *it)
{
	it->again = true;
}

/* Entries at levels >= min_level that cover a part of [first, last]. 0 and UINT64_MAX mean the whole tree. */
#define pt_for_each(it, pt, first, last, min_level)                                                                    \
	for (pt_iter_start(it, pt, first, last, min_level); (it)->valid; pt_iter_next(it))

/* ---- the writer ---- */

/*
 * Replaces the entry under the iterator, if it still is it->old, and does the bookkeeping:
 * counters, observer, `g`. A table that is thereby unlinked goes to `g` with
 * all below it, each of its entries cleared; one that is linked is fresh from ops->alloc, holds
 * leaves at most, and is counted with them. 0, with it->old = new; or -EAGAIN, with it->old what is there.
 */
int must_check pt_set(struct pt_iter *it, pte_t new, struct pt_gather *g);

/* ---- operations ---- */

/*
 * Maps [va, va + size) to [pa, ...) with the largest pages that alignment, format and
 * `max_level` allow. What was mapped there is replaced; a leaf that is already right keeps its A and D.
 * -EINVAL (range, alignment, `attrs` not in the format), -ENOMEM; nothing is changed then.
 */
int must_check pt_map(struct pt *pt, uint64_t va, uint64_t size, uint64_t pa, pt_attrs_t attrs, int max_level,
                      struct pt_gather *g);

/*
 * Takes `clear` from and adds `set` to the attributes of all leaves in the range; splits leaves
 * that reach beyond it, if it would change them. Absent pages stay so. -EINVAL (also: a leaf would end in
 * a combination that the format does not allow), -ENOMEM; nothing is changed then.
 */
int must_check pt_protect(struct pt *pt, uint64_t va, uint64_t size, pt_attrs_t set, pt_attrs_t clear,
                          struct pt_gather *g);

/*
 * Unmaps the range; splits leaves that reach beyond it, unlinks tables left empty.
 * -EINVAL, -ENOMEM; nothing is changed then.
 */
int must_check pt_zap(struct pt *pt, uint64_t va, uint64_t size, struct pt_gather *g);

/*
 * Makes the leaf at `va` no larger than `level`. Every page stays reachable throughout; A and D
 * are inherited by all parts. -EINVAL, -ENOENT (nothing mapped there), -ENOMEM; 0 if small already.
 */
int must_check pt_split(struct pt *pt, uint64_t va, int level, struct pt_gather *g);

/*
 * Joins the leaves below the entry for `va` at `level` into one leaf, if all are present,
 * contiguous, aligned and agree but for A and D, which are united. Every page stays reachable
 * throughout. -EINVAL, -ENOENT (no table there), -ERANGE (they do not agree). Needs no memory.
 */
int must_check pt_collapse(struct pt *pt, uint64_t va, int level, struct pt_gather *g);

struct pt_mapping {
	pte_t entry;
	int level;
	uint64_t pa; /* of the byte asked for */
	pt_attrs_t attrs;
};

/* -EINVAL: `va` is not canonical; -ENOENT: not mapped. */
int must_check pt_lookup(struct pt *pt, uint64_t va, struct pt_mapping *ret_mapping);

/* One line per run of like, contiguous pages, without newline: range, pa, attributes, page size. See also dump.h. */
void pt_dump(struct pt *pt, void (*emit)(void *ctx, const char *line), void *ctx);

struct pt_violation {
	const char *what; /* a sentence */
	uint64_t va;
	int level;
	pte_t entry;
};

/* Checks every invariant of the structure. 0, or -EBADMSG with the first violation. */
int must_check pt_audit(struct pt *pt, struct pt_violation *ret_violation);

#endif
