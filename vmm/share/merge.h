/* SPDX-License-Identifier: MIT */
/*
 * Puts memory that guests have in common into one place. The place is a store: a file in memory that one guest fills, that
 * is then sealed against every write, and whose pages take the place of equal ones in each guest, privately.
 *
 *   merge_give    guest memory -> store          the guest runs on; what it writes meanwhile may be a mixture
 *        seal     nobody can write the store any more, whoever has it open
 *   merge_take    guest memory == store? then the store's page takes its place      nobody writes the guest meanwhile
 *
 * So nobody has to be trusted: neither who filled the store nor who said that the pages are equal. A page that differs
 * stays as it is. A later write of the guest's copies the page.
 *
 * Pages of zeroes are holes in the store. Where one was touched, the host gets it back, as a page of zeroes needs no other
 * guest. Pages that the second stage does not map, or that an enclave has, stay as they are.
 *
 * Locks: the caller keeps changes of the second stage out. For merge_take() also every store: no vCPU runs, no device works.
 */
#ifndef GNOMON_SHARE_MERGE_H
#define GNOMON_SHARE_MERGE_H

#include "share/merge_sum.h"
#include "stage2/stage2.h"

#define MERGE_SIZE PAGE_2M /* of a call at most */

struct merge {
	struct guest_mem *mem;
	const struct stage2 *s2;
	int store;   /* -1: zeroes alone */
	int pagemap; /* touched_open() */
	struct merge_sum sum;
};

/* The page that takes part at `gpa`. NULL: it is not mapped, or an enclave's. */
uint8_t *merge_page(const struct merge *m, gpa_t gpa);

/* The least that is merged: 4 KiB, or where the host is to use pages of 2 MiB such a page. */
uint64_t merge_unit(const struct guest_mem *mem);

/* Both: [gpa, gpa + size) are whole 4 KiB pages within one MERGE_SIZE. -errno of the host; what was done is done. */
int must_check merge_give(struct merge *m, gpa_t gpa, uint64_t size, uint64_t offset);

/* The store is sealed against writing and shrinking, and reaches that far. In whole merge_unit()s. */
int must_check merge_take(struct merge *m, gpa_t gpa, uint64_t size, uint64_t offset);

/* Has the host give back those of the pages that are all zero. Otherwise as merge_take(). */
int must_check merge_zeroes(struct merge *m, gpa_t gpa, uint64_t size);

/* Pages in a row that cost the host memory. `store` is 0: pages of this guest's own; else the file, from `offset` on. */
struct merge_run {
	gpa_t gpa;
	uint64_t size, store, offset;
};

typedef void (*merge_run_fn)(void *ctx, const struct merge_run *run);

/*
 * Tells which of the pages are whose (share/merge_places.c). [gpa, gpa + size) are whole pages, of which none but the mapped
 * ones that lie in a row in host memory are told of. -errno: the host does not tell.
 */
int must_check merge_places(const struct merge *m, gpa_t gpa, uint64_t size, merge_run_fn fn, void *ctx);

/* Tells the host that the pages have equal ones elsewhere (KSM): those count as merged. -errno: guest_mem_advise_equal(). */
int must_check merge_advise(struct merge *m, gpa_t gpa, uint64_t size);

#endif
