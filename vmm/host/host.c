/* SPDX-License-Identifier: MIT */
#include "host/host.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/plain.h"
#include "host/host_parts.h"
#include "cpu/zydis.h"

/* How each module says whether it uses the CPU's second stage. */
static const struct {
	const char *parameter; /* below sysfs; NULL: it never does */
	enum host_second_stage on, off;
} stage_of[] = {
    [HOST_MODULE_INTEL] = {"module/kvm_intel/parameters/ept", HOST_STAGE_EPT, HOST_STAGE_SOFTWARE_EPT0},
    [HOST_MODULE_AMD] = {"module/kvm_amd/parameters/npt", HOST_STAGE_NPT, HOST_STAGE_SOFTWARE_NPT0},
    [HOST_MODULE_PVM] = {NULL, HOST_STAGE_SOFTWARE_PVM, HOST_STAGE_SOFTWARE_PVM},
};

bool host_runs_guests_in_hardware(void)
{
	return access("/sys/module/kvm_pvm", F_OK) < 0 &&
	       (access("/sys/module/kvm_intel", F_OK) == 0 || access("/sys/module/kvm_amd", F_OK) == 0);
}

const char *host_kvm_path(void)
{
	const char *path = getenv("GNOMON_KVM_DEVICE");

	return path && *path ? path : "/dev/kvm";
}

#define SOURCE(info, ...) snprintf((info)->second_stage_source, sizeof((info)->second_stage_source), __VA_ARGS__)

/* A module parameter is printed as Y/N (bool) or 1/0 (int, older kernels); anything else is not understood. */
static void read_stage_parameter(struct host_info *info, const char *sys, enum host_module module)
{
	char word[16];
	int len = host_read_file(sys, stage_of[module].parameter, word, sizeof(word));

	info->second_stage = HOST_STAGE_UNKNOWN;
	if (len < 0) {
		SOURCE(info, "%.200s/%s cannot be read: %s", sys, stage_of[module].parameter, strerror(-len));
		return;
	}
	SOURCE(info, "%.200s/%s says \"%s\"", sys, stage_of[module].parameter, word);
	if (strcmp(word, "Y") == 0 || strcmp(word, "1") == 0)
		info->second_stage = stage_of[module].on;
	else if (strcmp(word, "N") == 0 || strcmp(word, "0") == 0)
		info->second_stage = stage_of[module].off;
}

static void find_second_stage(struct host_info *info, const char *sys)
{
	if (info->kvm == HOST_KVM_ABSENT) {
		info->second_stage = HOST_STAGE_NONE;
		SOURCE(info, "%s: %s", info->kvm_path, strerror(info->kvm_error));
	} else if (info->module == HOST_MODULE_NONE) {
		info->second_stage = HOST_STAGE_UNKNOWN;
		SOURCE(info, "%.200s/module names none of kvm_intel, kvm_amd, kvm_pvm", sys);
	} else if (!stage_of[info->module].parameter) {
		info->second_stage = stage_of[info->module].on;
		SOURCE(info, "%.200s/module/%s is there: KVM shadows the guest's tables in software", sys,
		       host_module_name(info->module));
	} else {
		read_stage_parameter(info, sys, info->module);
	}
}

void host_read_second_stage(struct host_info *ret_info)
{
	const struct host_paths here = {.sys = "/sys", .proc = "/proc", .kvm = host_kvm_path()};

	*ret_info = (struct host_info){0};
	host_read_files(ret_info, &here);
	find_second_stage(ret_info, here.sys);
}

/* Paths and what files say may hold anything. */
static void make_plain(struct host_info *info)
{
	char *const texts[] = {info->kernel,      info->cpu_model,  info->kvm_path,   info->second_stage_source,
	                       info->thp_enabled, info->thp_shmem,  info->thp_defrag, info->hypervisor,
	                       info->dmi_vendor,  info->dmi_product};

	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
		plain_string(texts[i]);
	for (int i = 0; i < info->nr_missing; i++) {
		plain_string(info->missing[i].what);
		plain_string(info->missing[i].mend);
	}
}

int host_detect(struct host_info *ret_info, const struct host_paths *paths)
{
	const struct host_paths here = {.sys = "/sys", .proc = "/proc", .kvm = host_kvm_path()};
	struct host_info info = {0};

	if (!paths)
		paths = &here;
	if (strlen(paths->sys) >= PATH_MAX / 2 || strlen(paths->proc) >= PATH_MAX / 2 ||
	    strlen(paths->kvm) >= sizeof(info.kvm_path))
		return -ENAMETOOLONG;
	strcpy(info.kvm_path, paths->kvm);
	host_probe_kvm(&info);
	host_read_files(&info, paths);
	host_heed_cgroups(&info, paths);
	host_probe_hypervisor(&info);
	host_find_emulator(&info, paths->sys);
	host_probe_pmu(&info);
	info.zydis = zydis_found();
	find_second_stage(&info, paths->sys);
	host_list_missing(&info, paths);
	make_plain(&info);
	*ret_info = info;
	return 0;
}
