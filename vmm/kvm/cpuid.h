/* SPDX-License-Identifier: MIT */
#ifndef GNOMON_KVM_CPUID_H
#define GNOMON_KVM_CPUID_H

#include <stdbool.h>
#include <stdint.h>

#include "base/log.h"

/*
 * Gives vCPU `id` its CPU identification: of the features that Gnomon's guests may use
 * (kvm/cpuid.c lists them), those this host's CPU has. KVM_GET_SUPPORTED_CPUID is not
 * asked: on a virtualised host it costs more than the rest of the vCPU's creation.
 * Before the vCPU's first KVM_RUN (KVM_SET_CPUID2, KVM API 4.68). -errno, logged.
 */
int must_check cpuid_set(int vcpu_fd, int id);

/* What of it the shadow MMU must know: physical address bits, 1 GiB pages, UMIP. */
int cpuid_maxphyaddr(void);
bool cpuid_gbpages(void);
bool cpuid_umip(void);

/*
 * G in an entry of level 4 is reserved, as nested mode has it: on AMD (APM2 5.3.3). QEMU's own walker, which walks the
 * guest's tables with nested paging alone, does not mind.
 */
bool cpuid_pml4_global_reserved(void);

/* Bits of CR4 that the guest may set: those of features that cpuid_set() offers, and those that need none. */
uint64_t cpuid_cr4_bits(void);

#endif
