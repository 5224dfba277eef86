/* SPDX-License-Identifier: MIT */
/*
 * Guest memory taken away and given back in slices of 4 KiB pages, down to the middle of a 2 MiB leaf.
 *
 *   reclaim, of several slices at once                   release, of several slices one after the other
 *   tables from the pool        may fail, last time      tables from the pool
 *   split: fill, then publish   CAS                      restore the frames, map them
 *   remove the slices' entries  exchange each            collapse what is whole again
 *   shootdown                   all CPUs acknowledge
 *   free unlinked tables                                 free unlinked tables
 *   surrender                   the host has it back     say what is whole again
 *
 * At no moment a page that stays is out of reach; after the shootdown nobody reaches one that went. The order is
 * checked exhaustively in tests/model/split.pml. Pure: what it needs of a VM is in the ops.
 *
 * Locks: the caller serialises both with each other and everything else that changes `s2`.
 */
#ifndef GNOMON_STAGE2_RECLAIM_H
#define GNOMON_STAGE2_RECLAIM_H

#include "base/counter.h"
#include "stage2/stage2.h"

struct stage2_slice {
	gpa_t gpa;
	uint64_t size;
	maddr_t maddr; /* where it lay; stage2_reclaim fills it in */
};

/* None but restore may fail: the guest has seen the change already. `ctx` comes first. */
struct stage2_reclaim_ops {
	/* Takes the slices out of every CPU's reach; returns when each has acknowledged, how many had to. */
	unsigned (*shootdown)(void *ctx, const struct stage2_slice *slice, unsigned n);
	/* Gives these frames' content back to the host. Bytes that the host took. */
	uint64_t (*surrender)(void *ctx, maddr_t maddr, uint64_t size);
	/* Makes the frames of these pages usable again, zeroed, before they are mapped. -errno: not now. */
	int (*restore)(void *ctx, gpa_t gpa, uint64_t size);
	/* 2 MiB are one leaf again: whoever maps them, or backs them, by 4 KiB may do so by one page. */
	void (*joined)(void *ctx, gpa_t gpa, maddr_t maddr);
};

/*
 * Whole 4 KiB pages of RAM only. -EINVAL: they are not; -EALREADY: some of them are in the state asked for;
 * -ENOMEM; what restore returned. `counters` takes the CTR_STAGE2_* counts. The `n` slices ascend, with a page between
 * any two. Reclaim takes them with one shootdown for all; if it fails nothing is changed. Release goes on until one
 * fails: *ret_done are back, all of them unless it returns an error, and of the others nothing is changed.
 */
int must_check stage2_reclaim(struct stage2 *s2, struct stage2_slice *slice, unsigned n,
                              const struct stage2_reclaim_ops *ops, void *ctx, struct counters *counters);
int must_check stage2_release(struct stage2 *s2, const struct stage2_slice *slice, unsigned n,
                              const struct stage2_reclaim_ops *ops, void *ctx, struct counters *counters,
                              unsigned *ret_done);

#endif
