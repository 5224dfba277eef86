/* SPDX-License-Identifier: MIT */
/*
 * Takes the slices of a reclaim out of the host's mapping. This is the longest part of a reclaim, so the threads of
 * vCPUs that are out of the guest share it with the one that reclaims.
 *
 *   who reclaims                                a vCPU's thread, outside the guest
 *   withdrawal_announce   AWAITED
 *   has the vCPUs come out                      withdrawal_help: waits
 *   withdrawal_run        OPEN                  takes parts of 2 MiB until none is left
 *                         takes parts likewise
 *                         NONE, waits for the last part
 *   lets the vCPUs in                           goes on
 *
 * The vCPUs stay out until withdrawal_run() returns; the caller sees to that (tests/model/keep_out.pml).
 */
#ifndef GNOMON_VM_WITHDRAW_H
#define GNOMON_VM_WITHDRAW_H

#include <pthread.h>
#include <stdatomic.h>

#include "mem/guest_mem.h"
#include "stage2/reclaim.h"

struct withdrawal {
	struct guest_mem *mem;
	atomic_int phase; /* enum withdrawal_phase */
	pthread_mutex_t lock;
	/* Under the lock: what nobody has taken, `begun` bytes of the first of them excepted. */
	const struct stage2_slice *slice;
	unsigned n;
	uint64_t begun;
	unsigned busy; /* parts that threads are at */
	int r;         /* the first error */
};

void withdrawal_init(struct withdrawal *w, struct guest_mem *mem);
void withdrawal_destroy(struct withdrawal *w);

/*
 * Helpers wait from here on for withdrawal_run() of the same slices, which must follow. Does nothing with slices too
 * small to share: withdrawing a page costs less than telling the other CPU's TLB of it.
 */
void withdrawal_announce(struct withdrawal *w, const struct stage2_slice *slice, unsigned n);

/*
 * Calls guest_mem_withdraw() for all slices, at their `maddr`. -errno: only some are withdrawn. One caller at a time.
 * When it returns no helper withdraws any more.
 */
int must_check withdrawal_run(struct withdrawal *w, const struct stage2_slice *slice, unsigned n);

/*
 * Helps; returns at once when nothing was announced. Any thread with none of the VM's locks that keeps nobody waiting.
 */
void withdrawal_help(struct withdrawal *w);

#endif
