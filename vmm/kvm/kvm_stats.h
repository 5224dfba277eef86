/* SPDX-License-Identifier: MIT */
/*
 * KVM's own statistics of a VM or vCPU (KVM_GET_STATS_FD, KVM API 4.133), read as they
 * stand now. Absent on kernels before 5.14: then there are none, which is no failure.
 */
#ifndef GNOMON_KVM_KVM_STATS_H
#define GNOMON_KVM_KVM_STATS_H

#include <stdint.h>

#include "base/log.h"

enum kvm_stat_type { KVM_STAT_CUMULATIVE, KVM_STAT_INSTANT, KVM_STAT_PEAK };

struct kvm_stat {
	const char *name; /* lives for the call only */
	enum kvm_stat_type type;
	const char *unit;   /* "bytes", "seconds", "cycles", "boolean", or NULL for a plain number */
	int base, exponent; /* the value is in units of base ^ exponent */
	uint64_t value;
};

/* Called once per scalar statistic; histograms are left out. */
typedef void (*kvm_stat_fn)(void *arg, const struct kvm_stat *stat);

/*
 * A descriptor for the statistics of the VM or vCPU `fd`, the caller's to close; -errno when KVM has none. For a vCPU
 * this waits until it leaves KVM_RUN; reading does not.
 */
int must_check kvm_stats_open(int fd);

/* Reads all from such a descriptor. 0, or -errno when KVM gives nonsense. */
int must_check kvm_stats_read(int stats_fd, kvm_stat_fn fn, void *arg);

/* What a statistic means, in words; for one that Gnomon does not know, that it is KVM's. */
const char *kvm_stat_what(const char *name);

#endif
