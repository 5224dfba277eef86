/* SPDX-License-Identifier: MIT */
/*
 * Which pages of guest memory enclaves have: a byte for each page, 0 or the enclave's identifier. Nobody else takes, returns
 * or drops such a page. No table of the guest lies there: an enclave stores into its buffer past every write protection.
 *
 * Locks: whoever changes it is alone, as whoever changes the second stage. lent_to() takes none.
 */
#ifndef GNOMON_STAGE2_LENT_H
#define GNOMON_STAGE2_LENT_H

#include <gnomon/addr.h>

#include "base/log.h"

struct lent {
	uint64_t pages;           /* of guest memory, from address 0 to its end */
	_Atomic(uint8_t *) owner; /* by page number; NULL as long as nothing was lent */
	/* Where the pages that are being lent go, as they were when the last CPU left them; NULL: none are. */
	void *content;
};

/* For guest memory that ends at `end`. 0 also if it was done before. -ENOMEM. */
int must_check lent_init(struct lent *l, uint64_t end);
/* A struct that is all zero is fine, too. */
void lent_destroy(struct lent *l);
/* Nothing is lent any more. */
void lent_forget(struct lent *l);

void lent_set(struct lent *l, gpa_t gpa, uint64_t size, unsigned owner);
/* The first owner in the range; 0: none of it is lent. */
unsigned lent_to(const struct lent *l, gpa_t gpa, uint64_t size);

/* Copies the pages at `from` if some are being lent. */
void lent_copy(const struct lent *l, const void *from, uint64_t size);

#endif
