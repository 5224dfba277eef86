/* SPDX-License-Identifier: MIT */
/*
 * What this host can do, found out by reading and asking, never by guessing.
 *
 *   info.c          the words for it, and what follows from it
 *   host.c          the order of questions, the second stage
 *   host_files.c    what sysfs and procfs say: CPUs, memory, huge pages, KVM's modules
 *   host_kvm.c      what the KVM device, the PMU and CPUID say
 *   host_emulator.c whether a program plays the CPU
 *   host_missing.c  what is missing, with how to fix it
 *
 * Needs neither root nor a KVM device. The files' roots and the device's path are
 * parameters, so that tests bring their own host.
 */
#ifndef GNOMON_HOST_HOST_H
#define GNOMON_HOST_HOST_H

#include <stdbool.h>

#include "base/log.h"
#include "host/info.h"

struct host_paths {
	const char *sys;  /* "/sys" */
	const char *proc; /* "/proc" */
	const char *kvm;  /* "/dev/kvm" */
};

/* A KVM capability that Gnomon relies on. */
struct host_cap {
	const char *name;
	int number;    /* KVM_CAP_* */
	bool required; /* without it `gnomon run` does not work; otherwise there is a second way */
	bool shadow;   /* without it `gnomon run --paging shadow` does not work */
	const char *use;
};

extern const struct host_cap host_caps[HOST_NR_CAPS];

/*
 * Fills *ret_info; `paths` NULL means this host, with the device GNOMON_KVM_DEVICE names. What cannot be
 * found out is left empty and, where it matters, listed in missing. All texts are plain. Makes and drops one empty VM.
 * -ENAMETOOLONG: a path in `paths` is too long.
 */
int must_check host_detect(struct host_info *ret_info, const struct host_paths *paths);

/*
 * Of all this only what files say, second stage included; KVM's device is not looked at, and taken to be there. For a
 * process that has a VM already.
 */
void host_read_second_stage(struct host_info *ret_info);

/*
 * True when KVM's module says that the CPU itself runs guests, so that it looks at the guest's control and debug
 * registers at every CPL. False for kvm_pvm, and where nothing tells. Costs a look at /sys; needs no host_detect().
 */
bool host_runs_guests_in_hardware(void);

/* Whether QEMU's TCG plays this machine's CPU, which says so itself (CPUID). Needs no host_detect(). */
bool host_is_tcg(void);

/* The path of the KVM device: /dev/kvm unless GNOMON_KVM_DEVICE names another. */
const char *host_kvm_path(void);

#endif
