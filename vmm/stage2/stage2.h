/* SPDX-License-Identifier: MIT */
/*
 * The second stage: gpa -> maddr, the one truth about guest memory in both modes. A tree
 * in EPT format on the page-table engine; no hardware walks it here.
 *
 *   shadow mode   composed into every shadow entry
 *   nested mode   mirrored onto the host mapping of the memslots
 *
 * It begins one to one, RAM in 2 MiB leaves; nobody but stage2_init() may assume either.
 *
 * Locks: changes are serialised by the caller. stage2_lookup() and stage2_ptr() need none as long as
 * the tables that a change unlinked live until nobody looks any more (pt_gather_finish).
 */
#ifndef GNOMON_STAGE2_STAGE2_H
#define GNOMON_STAGE2_STAGE2_H

#include <gnomon/addr.h>

#include "mem/guest_mem.h"
#include "pgtable/pt.h"

struct stage2 {
	struct pt pt;
	const struct guest_mem *mem;
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

/* Where `gpa` is mapped. False: nowhere, *ret_mapping is untouched. */
bool stage2_lookup(const struct stage2 *s2, gpa_t gpa, struct stage2_mapping *ret_mapping);

/* The bytes [gpa, gpa + len), len > 0, or NULL unless all of them are mapped RAM and lie in a row. */
void *stage2_ptr(const struct stage2 *s2, gpa_t gpa, uint64_t len);

/*
 * Maps [gpa, gpa + size) one to one again by leaves of up to 2 MiB, or unmaps it; whole 4 KiB pages of RAM. What a flush
 * is owed for is in `g` (pt.h): after it, pt_gather_finish(&s2->pt, g). -EINVAL, -ENOMEM; nothing is changed then.
 */
int must_check stage2_map(struct stage2 *s2, gpa_t gpa, uint64_t size, struct pt_gather *g);
int must_check stage2_unmap(struct stage2 *s2, gpa_t gpa, uint64_t size, struct pt_gather *g);

#endif
