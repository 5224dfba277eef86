/* SPDX-License-Identifier: MIT */
/*
 * Takes guest memory away and gives it back in slices of 4 KiB pages, down to the middle of a 2 MiB leaf.
 *
 *   reclaim, of several slices at once                   release, of several slices one after the other
 *   tables from the pool        may fail, last time      tables from the pool
 *   split: fill, then publish   CAS                      restore the frames, map them
 *   remove the slices' entries  exchange each            collapse what is whole again
 *   shootdown                   all CPUs acknowledge
 *   free unlinked tables                                 free unlinked tables
 *   surrender                   the host has it back     say what is whole again
 *
 * A page that stays is reachable at every moment. After the shootdown nobody reaches a page that went.
 * tests/model/split.pml checks the order exhaustively. Pure: what it needs of a VM is in the ops.
 *
 * Locks: the caller serialises both with each other and with everything else that changes `s2`.
 */
#ifndef GNOMON_STAGE2_RECLAIM_H
#define GNOMON_STAGE2_RECLAIM_H

#include "base/counter.h"
#include "stage2/stage2.h"

struct stage2_slice {
	gpa_t gpa;
	uint64_t size;
	maddr_t maddr; /* where it lay; stage2_reclaim() fills it in */
};

/* Only restore may fail: at the other steps the guest has seen the change already. `ctx` comes first. */
struct stage2_reclaim_ops {
	/* Takes the slices out of every CPU's reach. Returns when each CPU has acknowledged, and how many had to. */
	unsigned (*shootdown)(void *ctx, const struct stage2_slice *slice, unsigned n);
	/* Gives these frames back to the host. Returns how many bytes the host took. */
	uint64_t (*surrender)(void *ctx, maddr_t maddr, uint64_t size);
	/* Makes the frames of these pages usable again, zeroed, before they are mapped. -errno: not now. */
	int (*restore)(void *ctx, gpa_t gpa, uint64_t size);
	/* 2 MiB are one leaf again: whoever maps or backs them by 4 KiB pages may use one page instead. */
	void (*joined)(void *ctx, gpa_t gpa, maddr_t maddr);
};

/*
 * Both take whole 4 KiB pages of RAM. The `n` slices ascend, with a page between any two. -EINVAL: they are not such
 * pages. -EALREADY: some are in the requested state already. -ENOMEM, or what restore returned. `counters` takes the
 * CTR_STAGE2_* counts.
 *
 * Reclaim takes all slices with one shootdown; if it fails, nothing is changed. Release stops at the first slice that
 * fails: the first *ret_done slices are back, all of them unless it returns an error, and the others are unchanged.
 */
int must_check stage2_reclaim(struct stage2 *s2, struct stage2_slice *slice, unsigned n,
                              const struct stage2_reclaim_ops *ops, void *ctx, struct counters *counters);
int must_check stage2_release(struct stage2 *s2, const struct stage2_slice *slice, unsigned n,
                              const struct stage2_reclaim_ops *ops, void *ctx, struct counters *counters,
                              unsigned *ret_done);

#endif
