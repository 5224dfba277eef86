/* SPDX-License-Identifier: MIT */
/*
 * A virtual CPU that stands still, with all that belongs to it: what a snapshot holds of it. struct cpu_state is what
 * both modes know; the rest is what KVM's vCPU holds in either mode.
 */
#ifndef GNOMON_CPU_SAVED_H
#define GNOMON_CPU_SAVED_H

#include "cpu/state.h"

#define CPU_FPU_SIZE  4096 /* KVM_GET_XSAVE's area; its first 512 bytes are FXSAVE's (APM2 11.5) */
#define CPU_EXTRA_MAX 256

enum cpu_power {
	CPU_WAITS, /* not started yet; nothing else of it counts */
	CPU_RUNS,  /* or is halted: cpu_state says that */
	CPU_POWERS,
};

enum cpu_fpu {
	CPU_FPU_NEW,   /* as after a start */
	CPU_FPU_XSAVE, /* the whole area */
	CPU_FPU_PLAIN, /* struct kvm_fpu: a host without XSAVE */
	CPU_FPU_KINDS,
};

/* An MSR that struct cpu_state does not name. */
struct cpu_extra_msr {
	uint32_t index;
	uint64_t value;
};

struct cpu_saved {
	uint8_t power; /* enum cpu_power */
	struct cpu_state state;
	uint64_t vectors[4]; /* interrupts that wait, a bit each */
	uint64_t tsc;
	uint8_t fpu_kind; /* enum cpu_fpu */
	uint8_t fpu[CPU_FPU_SIZE];
	uint32_t nr_extra;
	struct cpu_extra_msr extra[CPU_EXTRA_MAX];
};

/*
 * What is wrong with a CPU that comes from a file: a clause ("holds ..."), or NULL. KVM and the mode refuse more; this is
 * what they take for granted.
 */
const char *cpu_saved_check(const struct cpu_saved *cpu);

#endif
