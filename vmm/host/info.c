/* SPDX-License-Identifier: MIT */
#include "host/info.h"

static const char *const module_names[] = {
    [HOST_MODULE_INTEL] = "kvm_intel", [HOST_MODULE_AMD] = "kvm_amd", [HOST_MODULE_PVM] = "kvm_pvm"};

static const char *const stage_labels[] = {
    [HOST_STAGE_NONE] = "none (no /dev/kvm)",
    [HOST_STAGE_EPT] = "ept",
    [HOST_STAGE_NPT] = "npt",
    [HOST_STAGE_SOFTWARE_PVM] = "software (kvm_pvm)",
    [HOST_STAGE_SOFTWARE_NPT0] = "software (npt=0)",
    [HOST_STAGE_SOFTWARE_EPT0] = "software (ept=0)",
    [HOST_STAGE_UNKNOWN] = "unknown",
};

static const char *const emulator_names[] = {[HOST_EMULATOR_QEMU] = "QEMU (TCG)", [HOST_EMULATOR_BOCHS] = "Bochs"};

static const char *const cpu_feature_names[HOST_NR_CPU_FEATURES] = {
    [HOST_CPU_VMX] = "vmx",   [HOST_CPU_SVM] = "svm",   [HOST_CPU_NX] = "nx",           [HOST_CPU_SMEP] = "smep",
    [HOST_CPU_SMAP] = "smap", [HOST_CPU_UMIP] = "umip", [HOST_CPU_PDPE1GB] = "pdpe1gb", [HOST_CPU_LA57] = "la57",
};

const char *host_second_stage_label(const struct host_info *info)
{
	return stage_labels[info->second_stage];
}

const char *host_module_name(enum host_module module)
{
	return module_names[module];
}

const char *host_emulator_name(enum host_emulator emulator)
{
	return emulator_names[emulator];
}

const char *host_cpu_feature_name(enum host_cpu_feature feature)
{
	return cpu_feature_names[feature];
}

bool host_stage_is_software(enum host_second_stage stage)
{
	return stage == HOST_STAGE_SOFTWARE_PVM || stage == HOST_STAGE_SOFTWARE_NPT0 ||
	       stage == HOST_STAGE_SOFTWARE_EPT0;
}

bool host_stage_is_hardware(enum host_second_stage stage)
{
	return stage == HOST_STAGE_EPT || stage == HOST_STAGE_NPT;
}

bool host_ready(const struct host_info *info)
{
	for (int i = 0; i < info->nr_missing; i++)
		if (info->missing[i].required)
			return false;
	return true;
}
