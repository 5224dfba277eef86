/* SPDX-License-Identifier: MIT */
/*
 * Takes guest memory away from a running VM and gives it back, in both modes (stage2/reclaim.h has the protocol).
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
 * In nested mode the other vCPUs go on while one slice goes. For several slices all vCPUs are kept out of the guest.
 * In both modes the threads of vCPUs that had to come out help to withdraw what is large (vm/withdraw.h).
 *
 * The VMM has pointers into guest memory, all from the second stage. vCPU threads pin them (nested, vcpu_pin()) or keep
 * them under paging_lock (shadow), devices keep them under their lock, everyone else under reclaim_lock. So reclaim
 * waits for each of these once, after the removal and before the host mapping goes.
 */
#ifndef GNOMON_VM_RECLAIM_H
#define GNOMON_VM_RECLAIM_H

#include "vm/vm.h"
#include "stage2/reclaim.h"

/*
 * Reclaim: on return no vCPU reaches [gpa, gpa + size), and the host, with hugetlb* its pool, has the memory back.
 * Release: on return the range is back in the guest, zeroed. No error changes anything.
 *
 *   -EINVAL    not whole pages of RAM, with hugetlb* not whole pages of the pool
 *   -EALREADY  some of it is in the requested state already
 *   -ENOMEM    no memory for tables; the pool has been used up meanwhile; or a host without guards (guest_mem.h) has no
 *              mappings left (vm.max_map_count)
 *   -EBUSY     another change takes too long, or in shadow mode a vCPU that waits for a device such as its console
 *   -EPERM     some of it is an enclave's (vm/lend.h)
 *
 * Not from a handler of a vCPU's exit, nor with any lock of the VM held.
 */
int must_check vm_reclaim(struct vm *vm, gpa_t gpa, uint64_t size);
int must_check vm_release(struct vm *vm, gpa_t gpa, uint64_t size);

/*
 * The same for `n` slices, which ascend, with a page between any two. One shootdown reclaims all of them. Release takes
 * one after the other until one fails, *ret_done of them.
 */
int must_check vm_reclaim_slices(struct vm *vm, struct stage2_slice *slice, unsigned n);
int must_check vm_release_slices(struct vm *vm, const struct stage2_slice *slice, unsigned n, unsigned *ret_done);

/*
 * Drops the content of these pages, which stay the guest's. Leaves reclaimed pages alone. Errors and callers as of
 * vm_reclaim().
 */
int must_check vm_discard(struct vm *vm, gpa_t gpa, uint64_t size);

/* Gives all memory back to the guest. The VM is paused. -errno of the host, logged: the VM cannot go on. */
int must_check vm_release_all(struct vm *vm);

/* Unlike a control client, whoever works for the guest has time: -EBUSY of these is tried again until the VM ends. */
#define VM_PATIENTLY(vm, call)                                                                                         \
	({                                                                                                             \
		int r_;                                                                                                \
		do                                                                                                     \
			r_ = (call);                                                                                   \
		while (r_ == -EBUSY && !vm_has_ended(vm));                                                             \
		r_;                                                                                                    \
	})

/*
 * Takes both locks, reclaim_lock and paging_lock: for whoever changes the second stage or the mode. -EBUSY after two
 * seconds: another change takes too long, or in shadow mode a vCPU that waits for a device.
 */
int must_check vm_lock_paging(struct vm *vm);
void vm_unlock_paging(struct vm *vm);

/* Takes reclaim_lock alone: for whoever reads guest memory that must stay where it is. -EBUSY after two seconds. */
int must_check vm_lock_reclaim(struct vm *vm);
void vm_unlock_reclaim(struct vm *vm);

/* The same for whoever has both locks, without a look at what is lent (vm/lend.c). */
int must_check vm_reclaim_locked(struct vm *vm, struct stage2_slice *slice, unsigned n);
int must_check vm_release_locked(struct vm *vm, const struct stage2_slice *slice, unsigned n, unsigned *ret_done);

/* If `gpa` is RAM it is reclaimed: counts the violation and kills the guest. False: it is no RAM. */
bool vcpu_violation(struct vcpu *vcpu, gpa_t gpa);
/* KVM_RUN failed with EFAULT: the guest reached what the host keeps from it. Kills the guest. */
void vcpu_memory_fault(struct vcpu *vcpu);

/* --- for a paging mode's shootdown; both locks held --- */

/* Takes the slices out of KVM's reach. A host that refuses ends the run. */
void vm_withdraw(struct vm *vm, const struct stage2_slice *slice, unsigned n);
/* Kicks every vCPU out of KVM_RUN; one that enters later finds the new mapping. Returns how many it kicked. */
unsigned vm_kick_out(struct vm *vm);
/* The same, and no vCPU enters the guest again before vm_let_in(). */
unsigned vm_keep_out(struct vm *vm);
void vm_let_in(struct vm *vm);

#endif
