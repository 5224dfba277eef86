/* SPDX-License-Identifier: MIT */
/*
 * Guest memory taken away from a running VM and given back, in both modes (stage2/reclaim.h has the protocol).
 *
 *                      nested                                     shadow
 *   remove             second stage; the slice is withdrawn       second stage; every entry that leads there, by the
 *                      (mem/guest_mem.h), at which KVM forgets    reverse map; withdrawn likewise
 *                      it
 *   shootdown          a new generation; every vCPU in the        every vCPU out of the guest; none comes back
 *                      guest is kicked and acknowledges outside    before the stub stored the edits and flushed
 *   surrender          surrendered                                surrendered
 *   touched later      KVM_RUN fails, or an MMIO exit: killed     a fault that ends at no memory: killed
 *
 * In nested mode the other vCPUs go on while one slice goes. Several at once go while all are kept out of the guest.
 * In both modes the threads of vCPUs that had to come out help to withdraw what is large (vm/withdraw.h).
 *
 * The VMM's own pointers into guest memory: vCPU threads hold them pinned (nested, vcpu_pin()) or under paging_lock
 * (shadow), devices under their lock, everyone else under reclaim_lock, each from the second stage. So reclaim waits
 * for each of these once, after the removal and before the host mapping goes.
 */
#ifndef GNOMON_VM_RECLAIM_H
#define GNOMON_VM_RECLAIM_H

#include "vm/vm.h"
#include "stage2/reclaim.h"

/*
 * On return no vCPU reaches [gpa, gpa + size) and the host has its memory back, with hugetlb* its pool; or it is back
 * in the guest, zeroed. Whole pages of RAM, with hugetlb* whole ones of these: -EINVAL. -EALREADY: some of it is in the
 * state asked for. -ENOMEM: tables, the pool is used up meanwhile, or a host without guards (guest_mem.h) has no
 * mappings left (vm.max_map_count). -EBUSY: another change, or in shadow mode a vCPU that waits for a device, its
 * console for one, takes too long. Nothing is changed in these cases. Not from a vCPU's thread, nor with any lock of
 * the VM.
 */
int must_check vm_reclaim(struct vm *vm, gpa_t gpa, uint64_t size);
int must_check vm_release(struct vm *vm, gpa_t gpa, uint64_t size);

/*
 * The same of `n` slices, which ascend, with a page between any two: reclaimed as one, with one shootdown; released one
 * after the other until one fails, *ret_done of them.
 */
int must_check vm_reclaim_slices(struct vm *vm, struct stage2_slice *slice, unsigned n);
int must_check vm_release_slices(struct vm *vm, const struct stage2_slice *slice, unsigned n, unsigned *ret_done);

/* The content of these pages may go, the pages stay the guest's. What is reclaimed already is left alone. As
 * vm_reclaim. */
int must_check vm_discard(struct vm *vm, gpa_t gpa, uint64_t size);

/* All memory is the guest's again. The VM is paused. -errno of the host, logged: then it cannot go on. */
int must_check vm_release_all(struct vm *vm);

/*
 * Both locks, reclaim_lock and paging_lock: whoever changes the second stage or the mode. -EBUSY after two seconds:
 * another change, or in shadow mode a vCPU that waits for a device, takes too long.
 */
int must_check vm_lock_paging(struct vm *vm);
void vm_unlock_paging(struct vm *vm);

/* If `gpa` is RAM, then it was taken from the guest: counts the violation, kills the guest. False: it is no RAM. */
bool vcpu_violation(struct vcpu *vcpu, gpa_t gpa);
/* KVM_RUN failed with EFAULT: the guest reached what the host does not let it. Kills the guest. */
void vcpu_memory_fault(struct vcpu *vcpu);
/* --- for a paging mode's shootdown; both locks held --- */

/* Takes the slices out of KVM's reach; a host that refuses ends the run. */
void vm_withdraw(struct vm *vm, const struct stage2_slice *slice, unsigned n);
/* Every vCPU inside KVM_RUN comes out of it. One that enters later finds the new mapping. How many had to. */
unsigned vm_kick_out(struct vm *vm);
/* The same, and no vCPU enters the guest again before vm_let_in(). */
unsigned vm_keep_out(struct vm *vm);
void vm_let_in(struct vm *vm);

#endif
