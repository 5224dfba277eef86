/* SPDX-License-Identifier: MIT */
/* The questions host_detect() asks, in its order; each fills its part of *info and cannot fail. */
#ifndef GNOMON_HOST_HOST_PARTS_H
#define GNOMON_HOST_HOST_PARTS_H

#include "host/host.h"

/*
 * Reads the start of root/name into buf: terminated, blanks at the end cut off, bytes that are
 * not printable ASCII shown as '?' (newlines and tabs stay). Returns the length or -errno.
 */
int must_check host_read_file(const char *root, const char *name, char *buf, size_t size);

/* What files below paths say; what KVM's device, the PMU and CPUID answer. */
void host_read_files(struct host_info *info, const struct host_paths *paths);
/* After the files: what the cgroups leave is what is available, where that is less. */
void host_heed_cgroups(struct host_info *info, const struct host_paths *paths);
void host_probe_kvm(struct host_info *info);
void host_probe_pmu(struct host_info *info);
void host_probe_hypervisor(struct host_info *info);

/* After host_probe_hypervisor(). Needs no root: by what CPUID says or the PCI devices below sysfs. */
void host_find_emulator(struct host_info *info, const char *sys);

/* After all others, second stage included. */
void host_list_missing(struct host_info *info, const struct host_paths *paths);

#endif
