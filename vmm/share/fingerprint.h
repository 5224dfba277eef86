/* SPDX-License-Identifier: MIT */
/*
 * The fingerprint of a guest's memory: its tree (share/tree.h), brought up to date in rounds.
 *
 *   due pages  --begin-->  [ work ][ work ] ... [ work ]  -->  nodes above  -->  a new version, if anything changed
 *                 others become due meanwhile:   for the next round, or for this one if it has not come by yet
 *
 * A page's hash is of its content and of its rights in the second stage, and the size of the leaf that maps it does not
 * count. A page that the second stage does not map, such as one in the balloon or in an enclave, is absent.
 *
 * What a round means: each page is there as it was at some moment between the round's begin and its end. A page that the
 * guest writes while it is read may be a mixture; it is due again, then, and right once the guest leaves it alone. With
 * the guest out of the way from begin to end the fingerprint is exact.
 *
 * Locks: one thread at a time. Whoever works keeps changes of the second stage out meanwhile (vm.reclaim_lock), not from
 * one call to the next.
 */
#ifndef GNOMON_SHARE_FINGERPRINT_H
#define GNOMON_SHARE_FINGERPRINT_H

#include "share/tree.h"
#include "stage2/stage2.h"

/* What a round did so far. */
struct fingerprint_round {
	uint64_t pages;   /* that were due */
	uint64_t absent;  /* of them, not mapped */
	uint64_t zero;    /* all zero */
	uint64_t hashed;  /* the rest: read and hashed */
	uint64_t changed; /* whose hash is another one now */
	uint64_t nodes;   /* that were computed above them */
};

struct fingerprint {
	struct share_hash hash;
	struct share_tree tree;
	uint64_t pages;   /* from address 0 to the end of guest memory */
	uint64_t *due;    /* a bit for each */
	uint64_t at;      /* the round has come so far */
	bool under_way;   /* the tree is of no version */
	uint64_t version; /* 0: there was no whole round yet */
	struct fingerprint_round round;
	int touched; /* touched_open() */
};

/* Of memory up to `end`; all of it is due. -ENOMEM. */
int must_check fingerprint_create(enum share_algorithm algorithm, const uint8_t key[SHARE_KEY], uint64_t end,
                                  struct fingerprint **ret_fingerprint);
/* NULL is fine. */
void fingerprint_destroy(struct fingerprint *f);

/* These pages must be hashed again: a bit for each; NULL: all. */
void fingerprint_due(struct fingerprint *f, const uint64_t *pages);

/* Begins a round. None is under way. */
void fingerprint_begin(struct fingerprint *f);

/* Hashes about `pages` of those that are due. True: the round is at its end. One is under way. */
bool fingerprint_work(struct fingerprint *f, const struct stage2 *s2, uint64_t pages);

#endif
