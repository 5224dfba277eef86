/* SPDX-License-Identifier: MIT */
#ifndef GNOMON_KVM_CPUID_H
#define GNOMON_KVM_CPUID_H

#include "base/log.h"

/*
 * Gives a vCPU the CPU identification that KVM supports here, with its own APIC id
 * (KVM_GET_SUPPORTED_CPUID, KVM_SET_CPUID2). Before its first KVM_RUN. -errno.
 */
int must_check cpuid_set(int kvm_fd, int vcpu_fd, int id);

#endif
