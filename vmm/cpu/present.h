/* SPDX-License-Identifier: MIT */
/* Whether the CPU that this program runs on has an instruction. For hosts whose KVM turns #GP into #UD. */
#ifndef GNOMON_CPU_PRESENT_H
#define GNOMON_CPU_PRESENT_H

#include <stdbool.h>

struct insn;

/*
 * True for x87, MMX, SSE, AVX and AVX-512 instructions, and integer ones of their kind, that CPUID says are there: on their
 * operands alone does it depend whether they fault. False for all others.
 */
bool insn_is_present(const struct insn *insn);

/* Whether it says that it is Intel's: what SYSENTER and near branches do in 64-bit code depends on it. */
bool cpu_is_intel(void);

/*
 * Whether a null selector in FS or GS clears the segment's base: some of AMD's CPUs leave it. Tried out on this thread's GS,
 * which is as it was afterwards: the bit that tells (8000_0021 EAX.6) is not in each hypervisor's CPUID.
 */
bool cpu_null_clears_base(void);

#endif
