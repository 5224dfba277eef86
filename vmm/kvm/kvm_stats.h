/* SPDX-License-Identifier: MIT */
/*
 * KVM's own statistics of a VM or vCPU (KVM_GET_STATS_FD, KVM API 4.133), read as they
 * stand now. Absent on kernels before 5.14: then there are none, which is no failure.
 */
#ifndef GNOMON_KVM_KVM_STATS_H
#define GNOMON_KVM_KVM_STATS_H

#include <stdint.h>

#include "base/log.h"

/* Called once per scalar statistic; histograms are left out. `name` lives for the call only. */
typedef void (*kvm_stat_fn)(void *arg, const char *name, const char *unit, uint64_t value);

/* `fd` is a VM's or a vCPU's. 0, or -errno when KVM has none or gives nonsense. */
int must_check kvm_stats_read(int fd, kvm_stat_fn fn, void *arg);

/* What a statistic means, in words; for one that Gnomon does not know, that it is KVM's. */
const char *kvm_stat_what(const char *name);

#endif
