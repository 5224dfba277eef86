/* SPDX-License-Identifier: MIT */
/*
 * Which hardware breakpoints of DR0-DR3 and DR7 an instruction or an access meets, APM2 13.1.1 and 13.1.3. For what the
 * emulator does, and for hosts whose CPU does not look at the guest's debug registers.
 */
#ifndef GNOMON_CPU_BREAKPOINT_H
#define GNOMON_CPU_BREAKPOINT_H

#include "cpu/state.h"

/* DR6's bits of the enabled breakpoints for the instruction at `rip`; 0 under RFLAGS.RF. */
uint64_t breakpoint_exec(const struct cpu_state *cpu, uint64_t rip);

/* DR6's bits of the enabled ones for data of `size` bytes at linear address `at`. */
uint64_t breakpoint_data(const struct cpu_state *cpu, uint64_t at, unsigned size, bool write);

#endif
