/* SPDX-License-Identifier: MIT */
/* Makes a VM as it was before its first start, without creating it anew. */
#ifndef GNOMON_VM_RESET_H
#define GNOMON_VM_RESET_H

#include "vm/vm.h"

/*
 * Zeroes guest RAM, resets devices, lets `load` bring the image in again and gives the boot CPU its first state. The
 * other CPUs wait to be started. The VM is paused (vm_pause()) and stays so. -EBUSY, with nothing changed: a device
 * holds up a vCPU, its number in *ret_vcpu. Any other -errno has ended the run.
 */
int must_check vm_reset(struct vm *vm, int (*load)(void *ctx, struct boot_state *ret_boot), void *ctx, int *ret_vcpu);

/*
 * Makes all that KVM still has of the state before a reset as it is in a new vCPU (vm/forget.c). Leaves out sregs and
 * regs, which the vCPU's start sets. From the vCPU's own thread. -errno, logged.
 */
int must_check vcpu_forget(struct vcpu *vcpu);

#endif
