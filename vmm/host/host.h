/* SPDX-License-Identifier: MIT */
/*
 * What this host can do, found out by reading and asking, never by guessing.
 *
 *   host.c          the order of questions, the second stage and its label
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
#include <stddef.h>
#include <stdint.h>

#include "base/log.h"

#define HOST_NR_CAPS     8
#define HOST_MAX_MISSING 18

struct host_paths {
	const char *sys;  /* "/sys" */
	const char *proc; /* "/proc" */
	const char *kvm;  /* "/dev/kvm" */
};

enum host_module { HOST_MODULE_NONE, HOST_MODULE_INTEL, HOST_MODULE_AMD, HOST_MODULE_PVM };

/* What translates a guest physical address below the guest's own tables. */
enum host_second_stage {
	HOST_STAGE_NONE, /* there is no KVM device */
	HOST_STAGE_EPT,
	HOST_STAGE_NPT,
	HOST_STAGE_SOFTWARE_PVM,
	HOST_STAGE_SOFTWARE_NPT0,
	HOST_STAGE_SOFTWARE_EPT0,
	HOST_STAGE_UNKNOWN, /* there is one, but no file says how it translates */
};

enum host_kvm_state {
	HOST_KVM_OK,
	HOST_KVM_ABSENT,  /* ENOENT, ENODEV, ENXIO: no node, or no driver behind it */
	HOST_KVM_DENIED,  /* EACCES, EPERM */
	HOST_KVM_BUSY,    /* EBUSY, of the device or of KVM_CREATE_VM */
	HOST_KVM_FOREIGN, /* it opens, but it is not KVM, or speaks another API version */
	HOST_KVM_BROKEN,  /* any other error */
};

/* A program that plays the machine's CPU. */
enum host_emulator { HOST_EMULATOR_NONE, HOST_EMULATOR_QEMU, HOST_EMULATOR_BOCHS };

enum host_cpu_feature {
	HOST_CPU_VMX,
	HOST_CPU_SVM,
	HOST_CPU_NX,
	HOST_CPU_SMEP,
	HOST_CPU_SMAP,
	HOST_CPU_UMIP,
	HOST_CPU_PDPE1GB,
	HOST_CPU_LA57,
	HOST_NR_CPU_FEATURES
};

/* A KVM capability that Gnomon relies on. */
struct host_cap {
	const char *name;
	int number;    /* KVM_CAP_* */
	bool required; /* without it `gnomon run` does not work; otherwise there is a second way */
	bool shadow;   /* without it `gnomon run --paging shadow` does not work */
	const char *use;
};

struct host_hugetlb {
	bool offered;
	uint64_t total, free; /* pages */
};

struct host_missing {
	bool required; /* false: it would help */
	char what[192];
	char mend[448];
};

struct host_info {
	char kernel[96];
	char cpu_model[80];
	int cpus;              /* online; 0 when unknown */
	unsigned cpu_features; /* 1 << enum host_cpu_feature */

	char kvm_path[256];
	enum host_kvm_state kvm;
	int kvm_error;         /* errno of the step that failed; 0 */
	int api_version;       /* 0 when unknown */
	unsigned kvm_mode;     /* permission bits of the device node */
	unsigned kvm_gid;      /* its group */
	int cap[HOST_NR_CAPS]; /* KVM_CHECK_EXTENSION's value, in the order of host_caps; 0 when absent or unasked */

	enum host_module module;
	enum host_second_stage second_stage;
	char second_stage_source[320]; /* which file said what */

	bool sysfs;                                          /* it is there to be read */
	char thp_enabled[24], thp_shmem[24], thp_defrag[24]; /* the chosen word; "" when the file is not there */
	struct host_hugetlb hugetlb_2m, hugetlb_1g;
	uint64_t memory_total, memory_available; /* bytes; 0 when unknown */

	bool zydis;    /* the library that decodes for `--paging shadow` is there */
	int pmu_error; /* 0: hardware cycles can be counted; ENODATA: opens and counts nothing; or perf_event_open's */
	bool in_vm;    /* CPUID leaf 1, ECX bit 31 */
	char hypervisor[13];                  /* CPUID leaf 0x40000000 */
	char dmi_vendor[64], dmi_product[64]; /* "" when not there */
	enum host_emulator emulator;          /* its times say nothing about a CPU */

	struct host_missing missing[HOST_MAX_MISSING];
	int nr_missing;
};

extern const struct host_cap host_caps[HOST_NR_CAPS];

/*
 * Fills *ret_info; `paths` NULL means this host, with the device GNOMON_KVM_DEVICE names. What cannot be
 * found out is left empty and, where it matters, listed in missing. Makes and drops one empty VM.
 * -ENAMETOOLONG: a path in `paths` is too long.
 */
int must_check host_detect(struct host_info *ret_info, const struct host_paths *paths);

/*
 * Of all this only what files say, second stage included; KVM's device is not looked at, and taken to be there. For a
 * process that has a VM already.
 */
void host_read_second_stage(struct host_info *ret_info);

/* `ept`, `npt`, `software (kvm_pvm)`, `software (npt=0)`, `software (ept=0)`, `none (no /dev/kvm)` or
 * `unknown`. Belongs in every result. ept and npt only when the module's parameter file said so. */
const char *host_second_stage_label(const struct host_info *info);

/*
 * True when KVM's module says that the CPU itself runs guests, so that it looks at the guest's control and debug
 * registers at every CPL. False for kvm_pvm, and where nothing tells. Costs a look at /sys; needs no host_detect().
 */
bool host_runs_guests_in_hardware(void);

/* The path of the KVM device: /dev/kvm unless GNOMON_KVM_DEVICE names another. */
const char *host_kvm_path(void);

/* "kvm_intel", "kvm_amd", "kvm_pvm", or NULL when none is known. */
const char *host_module_name(enum host_module module);

/* "QEMU (TCG)", "Bochs", or NULL for none. */
const char *host_emulator_name(enum host_emulator emulator);

/* The flag's name in /proc/cpuinfo. */
const char *host_cpu_feature_name(enum host_cpu_feature feature);

static inline bool host_has_cpu_feature(const struct host_info *info, enum host_cpu_feature feature)
{
	return info->cpu_features >> feature & 1;
}

/* True when nothing required is missing: `gnomon run` should work. */
bool host_ready(const struct host_info *info);

#endif
