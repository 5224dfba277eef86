/* SPDX-License-Identifier: MIT */
/* What is known of a host, the words for it, and what follows from it. Nothing here asks the host: host.h does. */
#ifndef GNOMON_HOST_INFO_H
#define GNOMON_HOST_INFO_H

#include <stdbool.h>
#include <stdint.h>

#define HOST_NR_CAPS     8
#define HOST_MAX_MISSING 18

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
	bool memory_limited;                     /* it is this process's cgroup that leaves no more */

	bool zydis;    /* the library that decodes for `--paging shadow` is there */
	int pmu_error; /* 0: hardware cycles can be counted; ENODATA: opens and counts nothing; or perf_event_open's */
	bool in_vm;    /* CPUID leaf 1, ECX bit 31 */
	char hypervisor[13];                  /* CPUID leaf 0x40000000 */
	char dmi_vendor[64], dmi_product[64]; /* "" when not there */
	enum host_emulator emulator;          /* its times say nothing about a CPU */
	bool emulated_times;                  /* and are wanted nevertheless: the user's, not found out */

	struct host_missing missing[HOST_MAX_MISSING];
	int nr_missing;
};

/* `ept`, `npt`, `software (kvm_pvm)`, `software (npt=0)`, `software (ept=0)`, `none (no /dev/kvm)` or
 * `unknown`. Belongs in every result. ept and npt only when the module's parameter file said so. */
const char *host_second_stage_label(const struct host_info *info);

/*
 * Whether KVM composes one table for the CPU in software, or the CPU walks a second stage by itself. Neither is true
 * where there is no KVM, and where nothing tells.
 */
bool host_stage_is_software(enum host_second_stage stage);
bool host_stage_is_hardware(enum host_second_stage stage);

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
