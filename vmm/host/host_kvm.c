/* SPDX-License-Identifier: MIT */
/* What the KVM device, the PMU and CPUID say about the host. */
#include <cpuid.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <linux/perf_event.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "host/host_parts.h"

/* CPUID leaf 1, ECX: "reserved for use by hypervisor", APM3 E.3.2. */
#define CPUID_1_ECX_HYPERVISOR (1u << 31)
#define CPUID_HYPERVISOR_LEAF  0x40000000

/* A line for each capability some module relies on, with what for. */
const struct host_cap host_caps[HOST_NR_CAPS] = {
    {"USER_MEMORY", KVM_CAP_USER_MEMORY, true, true, "guest RAM is memory of this process"},
    {"IMMEDIATE_EXIT", KVM_CAP_IMMEDIATE_EXIT, true, true, "a kick is not lost on the way into KVM_RUN"},
    {"EXT_CPUID", KVM_CAP_EXT_CPUID, true, true, "the guest's CPUID names what it may use"},
    {"SYNC_REGS", KVM_CAP_SYNC_REGS, false, true, "registers travel with KVM_RUN; `--paging shadow` needs it"},
    {"BINARY_STATS_FD", KVM_CAP_BINARY_STATS_FD, false, false, "KVM's own counters beside ours"},
    {"GET_TSC_KHZ", KVM_CAP_GET_TSC_KHZ, false, false, "the guest learns its clock's frequency"},
    {"INTERNAL_ERROR_DATA", KVM_CAP_INTERNAL_ERROR_DATA, false, false, "why KVM's emulator gave up"},
    {"MAX_VCPUS", KVM_CAP_MAX_VCPUS, false, false, "the most that --cpus can be"},
};

static void kvm_failed(struct host_info *info, int err)
{
	info->kvm_error = err;
	switch (err) {
	case ENOENT:
	case ENODEV:
	case ENXIO:
		info->kvm = HOST_KVM_ABSENT;
		break;
	case EACCES:
	case EPERM:
		info->kvm = HOST_KVM_DENIED;
		break;
	case EBUSY:
		info->kvm = HOST_KVM_BUSY;
		break;
	default:
		info->kvm = HOST_KVM_BROKEN;
	}
}

/* `fd` is open on what should be KVM. */
static void ask_kvm(struct host_info *info, int fd)
{
	int vm, version = ioctl(fd, KVM_GET_API_VERSION, 0);

	if (version != KVM_API_VERSION) {
		info->kvm = HOST_KVM_FOREIGN;
		info->kvm_error = version < 0 ? errno : 0;
		info->api_version = version < 0 ? 0 : version;
		return;
	}
	info->api_version = version;
	for (int i = 0; i < HOST_NR_CAPS; i++) {
		int v = ioctl(fd, KVM_CHECK_EXTENSION, host_caps[i].number);

		info->cap[i] = v > 0 ? v : 0;
	}
	/* The CPU's virtualisation is switched on by the first VM only: that is where EBUSY shows. */
	vm = ioctl(fd, KVM_CREATE_VM, 0);
	if (vm >= 0) {
		close(vm);
	} else {
		info->kvm_error = errno;
		info->kvm = errno == EBUSY ? HOST_KVM_BUSY : HOST_KVM_BROKEN;
	}
}

void host_probe_kvm(struct host_info *info)
{
	struct stat st;
	int fd = open(info->kvm_path, O_RDWR | O_CLOEXEC);

	if (fd < 0)
		kvm_failed(info, errno);
	if (stat(info->kvm_path, &st) == 0) {
		info->kvm_mode = st.st_mode & ALLPERMS;
		info->kvm_gid = st.st_gid;
	}
	if (fd >= 0) {
		ask_kvm(info, fd);
		close(fd);
	}
}

/* Spends some cycles that the compiler may not drop. */
static void spend_cycles(void)
{
	for (volatile int i = 0; i < 10000; i++)
		;
}

void host_probe_pmu(struct host_info *info)
{
	struct perf_event_attr attr = {
	    .type = PERF_TYPE_HARDWARE,
	    .size = sizeof(attr),
	    .config = PERF_COUNT_HW_CPU_CYCLES,
	    .exclude_kernel = 1,
	    .exclude_hv = 1,
	};
	int fd = syscall(SYS_perf_event_open, &attr, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);
	uint64_t cycles = 0;

	if (fd < 0) {
		info->pmu_error = errno;
		return;
	}
	spend_cycles();
	/* Some hypervisors show a PMU that stands still. */
	if (read(fd, &cycles, sizeof(cycles)) != sizeof(cycles) || cycles == 0)
		info->pmu_error = ENODATA;
	close(fd);
}

void host_probe_hypervisor(struct host_info *info)
{
	unsigned eax, ebx, ecx, edx, name[3];

	if (!__get_cpuid(1, &eax, &ebx, &ecx, &edx) || !(ecx & CPUID_1_ECX_HYPERVISOR))
		return;
	info->in_vm = true;
	__cpuid(CPUID_HYPERVISOR_LEAF, eax, name[0], name[1], name[2]);
	memcpy(info->hypervisor, name, sizeof(name));
	for (char *p = info->hypervisor; *p; p++)
		if (*p < ' ' || *p > '~')
			*p = '?';
}
