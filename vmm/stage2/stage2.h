/* SPDX-License-Identifier: MIT */
/*
 * The second stage: gpa -> maddr. It alone decides in both modes which memory the guest has. It is a tree in EPT format
 * on the page-table engine (SDM vol. 3, 28.3.2). Its tables lie in ordinary memory: no hardware walks them here.
 *
 *   shadow mode   composed into every shadow entry
 *   nested mode   mirrored onto the host mapping of the memslots
 *
 *   gpa      0                          3 GiB            4 GiB ...
 *   leaves   [ 2M ][ 2M ][4K 4K    4K 4K]    (MMIO hole)     [ 2M ][ 2M ]
 *                              `--- absent though RAM: reclaimed
 *
 * It begins one to one, with RAM in 2 MiB leaves. Only stage2.c may assume either.
 *
 * Parts: table.c has pages for tables; lookup.c leads from an address to memory; stage2.c creates and changes it;
 * reclaim.h gives memory back to the host and takes it again.
 *
 * Locks: one thread at a time changes a second stage. The owner of the VM ensures this: in shadow mode by the shadow
 * lock, under which entries are composed from it. Lookups take no lock. They find a page as it was before or after a
 * change of it, and never follow a table that was given away meanwhile (see `reuses`). What they found may be gone
 * before its use, unless the caller keeps changes out.
 *
 * Flushes: as pt.h says. What was unmapped may still be in a TLB, a shadow entry or the host's mapping. The caller
 * takes it out of there, then calls pt_gather_finish(). Only then are the frames free.
 */
#ifndef GNOMON_STAGE2_STAGE2_H
#define GNOMON_STAGE2_STAGE2_H

#include <gnomon/addr.h>
#include <stdatomic.h>

#include "base/log.h"
#include "mem/guest_mem.h"
#include "pgtable/pt.h"
#include "stage2/lent.h"
#include "stage2/written.h"

/* table.c: table n has page n; freed ones are used again. */
struct stage2_tables {
	uint8_t *pages; /* `nr` pages of address space, backed at first touch */
	struct pt_table *table;
	struct pt_table *free;
	unsigned nr, next_fresh;
	_Atomic uint64_t reuses; /* counts freed tables: a lookup that began under an older count starts again */
};

struct stage2 {
	struct pt pt;
	const struct guest_mem *mem;
	struct stage2_tables tables;
	struct lent lent; /* what enclaves have of it (vm/lend.h) */
	struct written written; /* what the VMM changed of it */
};

struct stage2_mapping {
	maddr_t maddr; /* of the byte asked for */
	int level;     /* of the leaf */
	pt_attrs_t attrs;
};

/* Maps all RAM of `mem`, which stays the caller's and must outlive `s2`. -ENOMEM. stage2_destroy() undoes it. */
int must_check stage2_init(struct stage2 *s2, const struct guest_mem *mem);
/* Nobody may look anything up any more. A struct that is all zero is fine, too. */
void stage2_destroy(struct stage2 *s2);

/* ---- lookups: no lock ---- */

/* Gives where `gpa` is mapped. False: nowhere, and *ret_mapping is untouched. */
bool stage2_lookup(const struct stage2 *s2, gpa_t gpa, struct stage2_mapping *ret_mapping);

/*
 * Returns the bytes [gpa, gpa + len), len > 0, or NULL unless all of them are mapped RAM and lie in a row. This is the
 * VMM's own access, so it ignores the mapping's rights.
 */
void *stage2_ptr(const struct stage2 *s2, gpa_t gpa, uint64_t len);

/* Copies, wherever the frames lie. -EFAULT, with nothing copied, unless all of the range is mapped. */
int must_check stage2_read(const struct stage2 *s2, gpa_t gpa, void *to, uint64_t len);

/* The page whose frame this is, mapped there now or not. */
gpa_t stage2_page_of(maddr_t frame);

/* True when all of [gpa, gpa + size), size > 0, is the guest's RAM, mapped or reclaimed. */
bool stage2_is_ram(const struct stage2 *s2, gpa_t gpa, uint64_t size);

/* Gives whether all of [gpa, gpa + size) is mapped or none. -EINVAL: not whole pages of RAM; -EALREADY: neither. */
int must_check stage2_range_state(const struct stage2 *s2, gpa_t gpa, uint64_t size, bool *ret_mapped);

/* ---- changes: one at a time; ranges are whole 4 KiB pages of RAM ---- */

/*
 * Maps [gpa, gpa + size) one to one again by leaves of up to 2 MiB, or unmaps it and splits the leaves that reach
 * beyond it. Both note the range as written. `g` collects what needs a flush (pt.h): the caller flushes, then calls pt_gather_finish(&s2->pt, g).
 * -EINVAL, -ENOMEM: nothing is changed.
 */
int must_check stage2_map(struct stage2 *s2, gpa_t gpa, uint64_t size, struct pt_gather *g);
int must_check stage2_unmap(struct stage2 *s2, gpa_t gpa, uint64_t size, struct pt_gather *g);

/* Makes the leaf that maps `gpa` 4 KiB. Every page stays reachable. 0 also if it is so already. -ENOENT, -ENOMEM. */
int must_check stage2_split(struct stage2 *s2, gpa_t gpa, struct pt_gather *g);

/*
 * Collapses the 2 MiB around `gpa` into one leaf. Every page stays reachable. -ENOENT: it is one leaf already, or
 * nothing is mapped. -ERANGE: pages are missing or differ in rights.
 */
int must_check stage2_collapse(struct stage2 *s2, gpa_t gpa, struct pt_gather *g);

/* ---- the whole: no change may be under way ---- */

/* Emits a line per run of like pages, as pt_dump() does. */
void stage2_dump(struct stage2 *s2, void (*emit)(void *ctx, const char *line), void *ctx);

/*
 * Checks the engine's invariants, and that each leaf is RAM and leads to its own frames. 0, or -EBADMSG with the first
 * violation.
 */
int must_check stage2_audit(struct stage2 *s2, struct pt_violation *ret_violation);

/* ---- between the parts ---- */

/* table.c: at most `nr` tables. -ENOMEM. */
int must_check stage2_tables_init(struct stage2_tables *t, unsigned nr);
void stage2_tables_destroy(struct stage2_tables *t);
/* Their pt_ops; ctx is the struct stage2_tables. */
extern const struct pt_ops stage2_table_ops;

/* The entries of the table that `address` in an entry names; NULL when it names none. */
static inline const uint64_t *stage2_table_entries(const struct stage2_tables *t, uint64_t address)
{
	return address < t->nr * PAGE_SIZE ? (const uint64_t *)(const void *)(t->pages + address) : NULL;
}

#endif
