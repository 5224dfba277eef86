/* SPDX-License-Identifier: MIT */
/* The real CPU's part: its control registers while the guest runs at the real CPL 3, its kernel too, and the way there. */
#ifndef GNOMON_CPU_REAL_H
#define GNOMON_CPU_REAL_H

#include "cpu/state.h"

struct real_control {
	uint64_t cr0, cr4, efer;
};

/*
 * `obeyed`: the CPU looks at them at CPL 3, so that what the guest asks of it is in them. Else it has the host's there
 * (kvm_pvm), and they are what the stub needs. `umip`: the CPU has UMIP, whose traps the VMM needs.
 *
 * AM is the guest's though its kernel's AC means something else: see trap_alignment() in paging/shadow_trap.c.
 */
struct real_control real_control(const struct cpu_state *cpu, bool obeyed, bool umip);

/*
 * False: the stub's IRETQ to the guest's RIP would fault, for it is not canonical. An instruction got there that the VMM
 * has done, the last one of the lower half; the guest's CPU would raise #GP(0) with this RIP at the fetch of the next.
 */
bool real_can_enter(const struct cpu_state *cpu);

#endif
