/* SPDX-License-Identifier: MIT */
/* What is missing on this host, each with how to fix it: a command where there is one. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "host/host_parts.h"
#include "cpu/zydis.h"

static void __attribute__((format(printf, 4, 5)))
miss(struct host_info *info, bool required, const char *what, const char *mend_fmt, ...)
{
	struct host_missing *m = &info->missing[info->nr_missing];
	va_list args;

	BUG_ON(info->nr_missing == HOST_MAX_MISSING);
	info->nr_missing++;
	m->required = required;
	snprintf(m->what, sizeof(m->what), "%s", what);
	va_start(args, mend_fmt);
	vsnprintf(m->mend, sizeof(m->mend), mend_fmt, args);
	va_end(args);
}

/* Which module this CPU wants; NULL when the CPU offers no virtualisation. */
static const char *wanted_module(const struct host_info *info)
{
	return host_has_cpu_feature(info, HOST_CPU_SVM)   ? "kvm_amd"
	       : host_has_cpu_feature(info, HOST_CPU_VMX) ? "kvm_intel"
	                                                  : NULL;
}

static void miss_device(struct host_info *info)
{
	const char *module = wanted_module(info);
	char what[320];

	snprintf(what, sizeof(what), "no %.150s (%s)", info->kvm_path, strerror(info->kvm_error));
	if (strcmp(info->kvm_path, "/dev/kvm") != 0)
		miss(info, true, what, "unset GNOMON_KVM_DEVICE, or point it at a KVM device");
	else if (info->module != HOST_MODULE_NONE && info->kvm_error == ENOENT)
		miss(info, true, what,
		     "%s is there, only the device node is not: `sudo mknod -m 660 /dev/kvm c 10 232`; "
		     "in a container start it with `--device /dev/kvm`",
		     host_module_name(info->module));
	else if (module)
		miss(info, true, what, "`sudo modprobe %s`; in a container start it with `--device /dev/kvm`", module);
	else if (info->in_vm)
		miss(info, true, what,
		     "this is a VM whose CPU shows neither vmx nor svm: on its host enable nested virtualisation "
		     "(`options kvm_amd nested=1` or `options kvm_intel nested=1` in /etc/modprobe.d/kvm.conf, CPU "
		     "model "
		     "host), then here `sudo modprobe kvm_amd` (or kvm_intel); or use a kernel with kvm_pvm; or "
		     "`tools/npt-host`, which needs neither");
	else
		miss(info, true, what,
		     "the CPU shows neither vmx nor svm: switch on VT-x (Intel) or SVM mode (AMD) in the firmware "
		     "setup, "
		     "then `sudo modprobe kvm_intel` (or kvm_amd)");
}

static void miss_permission(struct host_info *info)
{
	const bool group_may = (info->kvm_mode & (S_IRGRP | S_IWGRP)) == (S_IRGRP | S_IWGRP) && info->kvm_gid != 0;
	char what[320];

	snprintf(what, sizeof(what), "permission: %.130s is not for this user (%s)", info->kvm_path,
	         strerror(info->kvm_error));
	if (group_may)
		miss(info, true, what, "`sudo usermod -aG kvm $USER` and log in again");
	else
		miss(info, true, what,
		     "`sudo chown root:kvm %s && sudo chmod 660 %s && sudo usermod -aG kvm $USER` and log in again "
		     "(its group has no access now)",
		     info->kvm_path, info->kvm_path);
}

static void list_kvm(struct host_info *info)
{
	char what[320];

	switch (info->kvm) {
	case HOST_KVM_OK:
		break;
	case HOST_KVM_ABSENT:
		miss_device(info);
		break;
	case HOST_KVM_DENIED:
		miss_permission(info);
		break;
	case HOST_KVM_BUSY:
		miss(info, true, "KVM cannot use the CPU's virtualisation: something else holds it",
		     "stop the other hypervisor (VirtualBox: `sudo modprobe -r vboxnetadp vboxnetflt vboxdrv`; VMware: "
		     "`sudo modprobe -r vmmon`)");
		break;
	case HOST_KVM_FOREIGN:
		snprintf(what, sizeof(what), "%.150s is not KVM with API version 12", info->kvm_path);
		miss(info, true, what, "unset GNOMON_KVM_DEVICE, or point it at a KVM device");
		break;
	case HOST_KVM_BROKEN:
		snprintf(what, sizeof(what), "KVM on %.130s makes no VM: %s", info->kvm_path,
		         strerror(info->kvm_error));
		miss(info, true, what, "`sudo dmesg | grep -i kvm` tells why");
		break;
	}
	for (int i = 0; info->kvm == HOST_KVM_OK && i < HOST_NR_CAPS; i++) {
		if (info->cap[i] || !host_caps[i].shadow)
			continue;
		snprintf(what, sizeof(what), "KVM has no %s: %s", host_caps[i].name, host_caps[i].use);
		miss(info, host_caps[i].required, what, "use Linux 5.10 or newer");
	}
}

static void list_shadow(struct host_info *info)
{
	if (!info->zydis)
		miss(info, false, "no " ZYDIS_LIBRARY ": `--paging shadow` cannot decode instructions",
		     "`sudo apt-get install " ZYDIS_PACKAGE "`");
}

static void list_huge_pages(struct host_info *info)
{
	if (strcmp(info->thp_enabled, "never") == 0)
		miss(info, false, "transparent huge pages are off: `--backing thp` gets 4 KiB pages",
		     "`echo madvise | sudo tee /sys/kernel/mm/transparent_hugepage/enabled`");
	if (!info->sysfs)
		return; /* nothing is known; the second stage says how to fix that */
	if (!info->hugetlb_2m.offered)
		miss(info, false, "the kernel offers no 2 MiB huge pages: `--backing hugetlb2m` cannot work",
		     "use a kernel with CONFIG_HUGETLBFS");
	else if (info->hugetlb_2m.free == 0)
		miss(info, false, "no free 2 MiB huge page: `--backing hugetlb2m` cannot work",
		     "`echo %llu | sudo tee /sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages`",
		     (unsigned long long)info->hugetlb_2m.total + 64);
	if (!info->hugetlb_1g.offered)
		miss(info, false, "the kernel offers no 1 GiB huge pages: `--backing hugetlb1g` cannot work",
		     "use a CPU with pdpe1gb and a kernel with CONFIG_HUGETLBFS");
	else if (info->hugetlb_1g.free == 0)
		miss(info, false, "no free 1 GiB huge page: `--backing hugetlb1g` cannot work",
		     "`echo %llu | sudo tee /sys/kernel/mm/hugepages/hugepages-1048576kB/nr_hugepages`, soon after "
		     "boot; or "
		     "boot with hugepagesz=1G hugepages=1",
		     (unsigned long long)info->hugetlb_1g.total + 1);
}

static void list_pmu(struct host_info *info)
{
	switch (info->pmu_error) {
	case 0:
		break;
	case EACCES:
	case EPERM:
		miss(info, false, "hardware counters are not for this user",
		     "`sudo sysctl kernel.perf_event_paranoid=2`; in a container also `--cap-add PERFMON`");
		break;
	default:
		miss(info, false, "no hardware counters: walk cycles can only be estimated from time",
		     info->in_vm ? "let this VM's host pass the PMU through (QEMU: `-cpu host,pmu=on`)"
		                 : "use a kernel with CONFIG_PERF_EVENTS and a CPU it knows");
	}
}

void host_list_missing(struct host_info *info, const struct host_paths *paths)
{
	char what[256];

	list_kvm(info);
	if (info->second_stage == HOST_STAGE_UNKNOWN) {
		snprintf(what, sizeof(what), "the second stage is unknown: %.150s", info->second_stage_source);
		miss(info, false, what, "`sudo mount -t sysfs sysfs %s`; results are labelled `unknown` until then",
		     paths->sys);
	}
	/* A kernel that could not be read is not a CPU without NX. */
	if (*info->cpu_model && !host_has_cpu_feature(info, HOST_CPU_NX))
		miss(info, true, "the CPU shows no NX: guest page tables use it",
		     "switch on \"execute disable\" (XD, NX) in the firmware setup");
	list_shadow(info);
	list_huge_pages(info);
	list_pmu(info);
}
