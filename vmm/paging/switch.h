/* SPDX-License-Identifier: MIT */
/*
 * A VM goes from one paging mode to another while its guest runs.
 *
 *   vm_pause()             every vCPU completes what it has begun, and parks (paging_ops.settled)
 *   both locks             the new mode is made, each vCPU's state handed over, the old mode destroyed
 *   vm_resume()
 *
 * Guest memory, the second stage, the balloon and pending interrupts stay as they are; so do floating-point and vector
 * registers, which KVM's vCPU holds in either mode.
 */
#ifndef GNOMON_PAGING_SWITCH_H
#define GNOMON_PAGING_SWITCH_H

#include "vm/rest.h"

/*
 * Makes `to` the mode of a running or paused VM, for `reason`, which is static. *ret_changed: false when it is the mode
 * already; else *ret_us says for how many microseconds the guest stood still. With an error the VM goes on as it was,
 * and `ret_why` is a sentence of at most VM_WHY_MAX bytes: -EBUSY or -ETIMEDOUT, a vCPU or a lock is not free, try
 * again; -ENOTSUP, the guest or the host does not suit the mode; another -errno of the host. If the VM cannot even go
 * on as it was, the run ends. Not from a vCPU's thread, nor with a lock of the VM.
 */
int must_check paging_change(struct vm *vm, const struct paging_ops *to, const char *reason, bool *ret_changed,
                             uint64_t *ret_us, char *ret_why);

/*
 * Whether the guest, as it stands now, could go on with `to`: 0, or an error and `ret_why` as paging_change() would have
 * them. Changes nothing, and does not find out whether the host has what the mode needs. Callers likewise.
 */
int must_check paging_check(struct vm *vm, const struct paging_ops *to, char *ret_why);

/* The mode's name and how it came to be, any time. */
void paging_look(struct vm *vm, const char **ret_mode, struct paging_history *ret_history);

/* The mode that a user names; NULL for an unknown name. */
const struct paging_ops *paging_by_name(const char *name);

#endif
