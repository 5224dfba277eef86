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

/* Words of leaves 1 (ECX, EDX), 7 (EBX, ECX) and 8000_0001 (ECX, EDX), and leaf 0's 12 letters, as guests see them. */
#define CPUID_FEATURE_WORDS 6
void cpuid_features(uint32_t ret_word[CPUID_FEATURE_WORDS], char ret_vendor[13]);

/*
 * What the host does not offer of those words: a feature's name in CPUID's language ("smap"), NULL for none or one that
 * has no name here.
 */
const char *cpuid_missing(const uint32_t word[CPUID_FEATURE_WORDS], bool *ret_missing);

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
