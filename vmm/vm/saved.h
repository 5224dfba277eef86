/* SPDX-License-Identifier: MIT */
/* A vCPU's complete state, for a snapshot: taken from one that stands still, and given to one that was never started. */
#ifndef GNOMON_VM_SAVED_H
#define GNOMON_VM_SAVED_H

#include "cpu/saved.h"
#include "vm/vcpu.h"

/* The VM is at rest (vm/rest.h). -EAGAIN: the vCPU has work for a device to do first; -errno of KVM. */
int must_check vcpu_save(struct vcpu *vcpu, struct cpu_saved *ret_saved);

/*
 * As vcpu_start(), from such a state, which is copied; one that waits for its start goes on waiting. -ENOMEM. What KVM or
 * the mode refuses is logged by the vCPU's thread, and ends the run.
 */
int must_check vcpu_start_saved(struct vcpu *vcpu, const struct cpu_saved *saved);

/* In the vCPU's thread: gives KVM and the mode what vcpu_start_saved() left, and frees it. -errno, logged. */
int must_check vcpu_load_saved(struct vcpu *vcpu);

#endif
