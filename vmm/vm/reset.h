/* SPDX-License-Identifier: MIT */
/* A VM made as it was before its first start, without making it anew. */
#ifndef GNOMON_VM_RESET_H
#define GNOMON_VM_RESET_H

#include "vm/vm.h"

/*
 * Zeroes guest RAM, resets devices, has `load` bring the image in again and gives the boot CPU its first state; the
 * other CPUs wait to be started. The VM is paused (vm_pause) and stays so. -EBUSY with nothing changed when a vCPU,
 * its number in *ret_vcpu, is held up by a device. Any other -errno has ended the run.
 */
int must_check vm_reset(struct vm *vm, int (*load)(void *ctx, struct boot_state *ret_boot), void *ctx, int *ret_vcpu);

/*
 * For a vCPU's own thread (vm/forget.c): all that KVM still holds of the state before a reset becomes as in a new
 * vCPU, but for sregs and regs, which its start sets. -errno, logged.
 */
int must_check vcpu_forget(struct vcpu *vcpu);

#endif
