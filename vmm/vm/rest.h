/* SPDX-License-Identifier: MIT */
/*
 * A running VM at rest: every vCPU parked between two instructions, nobody changing the second stage, no mode at work.
 *
 *   pause -> does a vCPU have an instruction half done? -> resume, a moment, again
 *      `-> reclaim_lock, paging_lock -> fn -> unlock -> resume
 */
#ifndef GNOMON_VM_REST_H
#define GNOMON_VM_REST_H

#include "vm/vm.h"

#define VM_WHY_MAX 192

/*
 * What is done meanwhile, with reclaim_lock and paging_lock held. -EAGAIN: something is not at rest that will be when the
 * VM ran on for a moment. With an error `ret_why` is a sentence of at most VM_WHY_MAX bytes.
 */
typedef int (*vm_rest_fn)(struct vm *vm, void *ctx, char *ret_why);

/*
 * Calls `fn` with a running or paused VM at rest, and lets the VM go on as it was. *ret_us says for how many microseconds
 * it stood still. The caller holds change_lock. What `fn` returned, or -EBUSY or -ETIMEDOUT with a sentence: a vCPU or a
 * lock is not free. Not from a vCPU's thread.
 */
int must_check vm_at_rest(struct vm *vm, vm_rest_fn fn, void *ctx, uint64_t *ret_us, char *ret_why);

/*
 * vm_pause() for as long as a client likes: no vCPU has an instruction half done, so that the VM can be brought to rest
 * without running on. A guest that gives no such moment for two seconds is paused as it stands.
 */
int must_check vm_pause_at_rest(struct vm *vm, int *ret_vcpu);

#endif
