/* SPDX-License-Identifier: MIT */
/*
 * struct cpu_state to and from what KVM calls a vCPU's state, by its descriptor. Linux: Documentation/virt/kvm/api.rst.
 */
#ifndef GNOMON_KVM_CPU_REGS_H
#define GNOMON_KVM_CPU_REGS_H

#include <linux/kvm.h>

#include "base/log.h"
#include "cpu/state.h"

/* General registers; RIP and RFLAGS are left alone. */
void cpu_regs_gprs_from_kvm(struct cpu_state *cpu, const struct kvm_regs *regs);
void cpu_regs_gprs_to_kvm(const struct cpu_state *cpu, struct kvm_regs *regs);

/* Everything but MSRs, XCR0 and debug registers, which become those of a CPU after its start. */
void cpu_regs_from_kvm(struct cpu_state *cpu, const struct kvm_regs *regs, const struct kvm_sregs *sregs);

/* KVM_GET_REGS and KVM_GET_SREGS alone, as above: what messages show. -errno. */
int must_check cpu_regs_get_some(int vcpu_fd, struct cpu_state *ret_cpu);

/*
 * All of it. Of MSRs those that struct cpu_state names and KVM has. `halted` stays false: KVM does not know it where
 * HLT leaves KVM_RUN. The vCPU is outside KVM_RUN. -errno.
 */
int must_check cpu_regs_get(int vcpu_fd, struct cpu_state *ret_cpu);
int must_check cpu_regs_set(int vcpu_fd, const struct cpu_state *cpu);

/* Debug registers of a CPU after its start: no breakpoint is armed. -errno. */
int must_check cpu_regs_disarm(int vcpu_fd);

/* KVM_SET_MSRS of at most 12. The number that KVM took, which stops at the first that it does not know; or -errno. */
int must_check cpu_regs_set_msrs(int vcpu_fd, const struct kvm_msr_entry *entry, unsigned n);

#endif
