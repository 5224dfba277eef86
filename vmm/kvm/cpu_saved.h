/* SPDX-License-Identifier: MIT */
/* What KVM's vCPU holds beside struct cpu_state, in both paging modes: floating point, TSC, and MSRs without a name. */
#ifndef GNOMON_KVM_CPU_SAVED_H
#define GNOMON_KVM_CPU_SAVED_H

#include "base/log.h"
#include "cpu/saved.h"

/*
 * MSRs that a guest in nested mode can set beyond struct cpu_msrs, and that not each kernel lists as those to be saved:
 * MISC_ENABLE, debug control, MTRRs, machine-check banks.
 */
struct cpu_msr_range {
	uint32_t first, end;
};
#define CPU_EXTRA_RANGES 9
extern const struct cpu_msr_range cpu_extra_msrs[CPU_EXTRA_RANGES];

/* Fills in fpu, tsc and extra. The vCPU is outside KVM_RUN. -errno. */
int must_check cpu_saved_get(int kvm_fd, int vcpu_fd, struct cpu_saved *cpu);

/*
 * Gives them to a new vCPU, before the mode's set_state, which has the last word on MSRs. An MSR that no guest could have
 * changed is left alone. -errno: KVM refuses something; *ret_what is its name.
 */
int must_check cpu_saved_set(int vcpu_fd, const struct cpu_saved *cpu, const char **ret_what);

#endif
