/* SPDX-License-Identifier: MIT */
/*
 * The second stage: gpa -> maddr, the one truth about guest memory in both modes. A tree in EPT format on
 * the page-table engine (SDM vol. 3, 28.3.2); its tables lie in ordinary memory, no hardware walks them here.
 *
 *   shadow mode   composed into every shadow entry
 *   nested mode   mirrored onto the host mapping of the memslots
 *
 *   gpa      0                          3 GiB            4 GiB ...
 *   leaves   [ 2M ][ 2M ][4K 4K    4K 4K]    (MMIO hole)     [ 2M ][ 2M ]
 *                              `--- absent though RAM: reclaimed
 *
 * It begins one to one, RAM in 2 MiB leaves; nobody but stage2.c may assume either.
 *
 * Parts: table.c pages for tables; lookup.c from an address to memory; stage2.c life and changes;
 * reclaim.h memory given back to the host and taken again.
 *
 * Locks: one at a time changes a second stage. The owner of the VM sees to it: in shadow mode by the shadow lock,
 * under which entries are composed from it. Lookups take no lock: they find a page as it was before or after a
 * change of it, and never follow a table that was given away meanwhile (see `reuses`). What they found may be gone by
 * the time it is used, unless the caller keeps changes out.
 *
 * Flushes: as pt.h has it. What was unmapped may still be in a TLB, a shadow entry or the host's mapping until the
 * caller has taken it out of there; then pt_gather_finish(), and only then are the frames free.
 */
#ifndef GNOMON_STAGE2_STAGE2_H
#define GNOMON_STAGE2_STAGE2_H

#include <gnomon/addr.h>
#include <stdatomic.h>

#include "base/log.h"
#include "mem/guest_mem.h"
#include "pgtable/pt.h"

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
};

struct stage2_mapping {
	maddr_t maddr; /* of the byte asked for */
	int level;     /* of the leaf */
	pt_attrs_t attrs;
};

/* Maps all RAM of `mem`, which stays the caller's and lives longer. -ENOMEM. Undone by stage2_destroy. */
int must_check stage2_init(struct stage2 *s2, const struct guest_mem *mem);
/* Nobody may look anything up any more. Also for one that is all zero. */
void stage2_destroy(struct stage2 *s2);

/* ---- lookups: no lock ---- */

/* Where `gpa` is mapped. False: nowhere, *ret_mapping is untouched. */
bool stage2_lookup(const struct stage2 *s2, gpa_t gpa, struct stage2_mapping *ret_mapping);

/*
 * The bytes [gpa, gpa + len), len > 0, or NULL unless all of them are mapped RAM and lie in a row. The VMM's own
 * access: the mapping's rights are not asked.
 */
void *stage2_ptr(const struct stage2 *s2, gpa_t gpa, uint64_t len);

/* Copies, wherever the frames lie. -EFAULT, with nothing copied, unless all of it is mapped. */
int must_check stage2_read(const struct stage2 *s2, gpa_t gpa, void *to, uint64_t len);

/* Whether all of [gpa, gpa + size), size > 0, is RAM of the guest's, mapped or reclaimed. */
bool stage2_is_ram(const struct stage2 *s2, gpa_t gpa, uint64_t size);

/* Whether all of [gpa, gpa + size) is mapped, or none of it; -EINVAL: not whole pages of RAM; -EALREADY: neither. */
int must_check stage2_range_state(const struct stage2 *s2, gpa_t gpa, uint64_t size, bool *ret_mapped);

/* ---- changes: one at a time; ranges are whole 4 KiB pages of RAM ---- */

/*
 * Maps [gpa, gpa + size) one to one again by leaves of up to 2 MiB, or unmaps it, splitting what reaches beyond it.
 * What a flush is owed for is in `g` (pt.h): after it, pt_gather_finish(&s2->pt, g). -EINVAL, -ENOMEM; nothing is
 * changed then.
 */
int must_check stage2_map(struct stage2 *s2, gpa_t gpa, uint64_t size, struct pt_gather *g);
int must_check stage2_unmap(struct stage2 *s2, gpa_t gpa, uint64_t size, struct pt_gather *g);

/* Makes the leaf that maps `gpa` 4 KiB; every page stays reachable throughout. 0 if it is already. -ENOENT, -ENOMEM. */
int must_check stage2_split(struct stage2 *s2, gpa_t gpa, struct pt_gather *g);

/*
 * Joins the 2 MiB around `gpa` into one leaf; every page stays reachable throughout. -ENOENT (it is one already, or
 * nothing is mapped), -ERANGE (pages are missing or differ in rights).
 */
int must_check stage2_collapse(struct stage2 *s2, gpa_t gpa, struct pt_gather *g);

/* ---- the whole: no change may be under way ---- */

/* A line per run of like pages, as pt_dump has them. */
void stage2_dump(struct stage2 *s2, void (*emit)(void *ctx, const char *line), void *ctx);

/* The engine's invariants, and that each leaf is RAM and leads to its own frames. 0, or -EBADMSG with the first
 * violation. */
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
