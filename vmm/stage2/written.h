/* SPDX-License-Identifier: MIT */
/*
 * Which pages of guest memory the VMM changed: it stored into them for a device or an instruction that it emulated, set A
 * or D in a guest's table, took them away or gave them back. What the guest's CPU stores is not here: KVM's log has it
 * (vm/dirty.h). A bit for each page, by guest physical address.
 *
 *   writer   stores, then notes          reader   takes a word of bits, then reads the pages
 *
 * So whoever reads a page too early finds its bit the next time.
 *
 * Locks: none. Writers and the one reader may work at the same time.
 */
#ifndef GNOMON_STAGE2_WRITTEN_H
#define GNOMON_STAGE2_WRITTEN_H

#include <gnomon/addr.h>

#include "base/log.h"

struct written {
	uint64_t pages;           /* of guest memory, from address 0 to its end */
	_Atomic(uint64_t *) bits; /* NULL as long as nobody asked */
};

/* From here on pages below `end` are noted. 0 also if they were before. -ENOMEM. */
int must_check written_begin(struct written *w, uint64_t end);
/* Nobody notes any more. A struct that is all zero is fine, too. */
void written_destroy(struct written *w);

/* The VMM changed [gpa, gpa + size). Does nothing before written_begin(). Any thread. */
void written_note(const struct written *w, gpa_t gpa, uint64_t size);

/* Adds the noted pages to `into`, a bit for each of w->pages, and forgets them. One thread at a time. */
void written_take(struct written *w, uint64_t *into);

#endif
