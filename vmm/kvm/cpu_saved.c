/* SPDX-License-Identifier: MIT */
#include "kvm/cpu_saved.h"

#include <errno.h>
#include <linux/kvm.h>
#include <string.h>
#include <sys/ioctl.h>

#define MSR_TSC 0x10

const struct cpu_msr_range cpu_extra_msrs[CPU_EXTRA_RANGES] = {
    {0x1a0, 0x1a1}, {0x1d9, 0x1da}, {0x200, 0x214}, {0x250, 0x251}, {0x258, 0x25a},
    {0x268, 0x270}, {0x2ff, 0x300}, {0x17a, 0x17c}, {0x400, 0x480},
};

static bool is_extra(uint32_t index)
{
	for (size_t i = 0; i < CPU_EXTRA_RANGES; i++)
		if (index >= cpu_extra_msrs[i].first && index < cpu_extra_msrs[i].end)
			return true;
	return false;
}

/* One MSR. False: KVM does not know it, or does not take the value. */
static bool call_msr(int fd, unsigned long request, uint32_t index, uint64_t *value)
{
	uint64_t space[(sizeof(struct kvm_msrs) + sizeof(struct kvm_msr_entry)) / sizeof(uint64_t)];
	struct kvm_msrs *m = (void *)space; /* ends in a flexible array */

	*m = (struct kvm_msrs){.nmsrs = 1};
	m->entries[0] = (struct kvm_msr_entry){.index = index, .data = *value};
	if (ioctl(fd, request, m) != 1)
		return false;
	*value = m->entries[0].data;
	return true;
}

static void get_extra(int fd, struct cpu_saved *cpu)
{
	cpu->nr_extra = 0;
	for (size_t i = 0; i < CPU_EXTRA_RANGES; i++) {
		for (uint32_t index = cpu_extra_msrs[i].first; index < cpu_extra_msrs[i].end; index++) {
			uint64_t value = 0;

			BUG_ON(cpu->nr_extra == CPU_EXTRA_MAX);
			if (call_msr(fd, KVM_GET_MSRS, index, &value))
				cpu->extra[cpu->nr_extra++] = (struct cpu_extra_msr){.index = index, .value = value};
		}
	}
}

static int get_fpu(int kvm_fd, int fd, struct cpu_saved *cpu)
{
	struct kvm_xsave xsave;
	struct kvm_fpu fpu;

	_Static_assert(sizeof(fpu) <= CPU_FPU_SIZE && sizeof(xsave) == CPU_FPU_SIZE, "the area has room for either");
	memset(cpu->fpu, 0, sizeof(cpu->fpu));
	if (ioctl(kvm_fd, KVM_CHECK_EXTENSION, KVM_CAP_XSAVE) > 0) {
		if (ioctl(fd, KVM_GET_XSAVE, &xsave) < 0)
			return -errno;
		memcpy(cpu->fpu, &xsave, sizeof(xsave));
		cpu->fpu_kind = CPU_FPU_XSAVE;
		return 0;
	}
	if (ioctl(fd, KVM_GET_FPU, &fpu) < 0)
		return -errno;
	memcpy(cpu->fpu, &fpu, sizeof(fpu));
	cpu->fpu_kind = CPU_FPU_PLAIN;
	return 0;
}

int cpu_saved_get(int kvm_fd, int fd, struct cpu_saved *cpu)
{
	if (!call_msr(fd, KVM_GET_MSRS, MSR_TSC, &cpu->tsc))
		return -EIO;
	get_extra(fd, cpu);
	return get_fpu(kvm_fd, fd, cpu);
}

static int set_fpu(int fd, const struct cpu_saved *cpu)
{
	struct kvm_xsave xsave;
	struct kvm_fpu fpu;

	switch ((enum cpu_fpu)cpu->fpu_kind) {
	case CPU_FPU_XSAVE:
		memcpy(&xsave, cpu->fpu, sizeof(xsave));
		return ioctl(fd, KVM_SET_XSAVE, &xsave) < 0 ? -errno : 0;
	case CPU_FPU_PLAIN:
		memcpy(&fpu, cpu->fpu, sizeof(fpu));
		return ioctl(fd, KVM_SET_FPU, &fpu) < 0 ? -errno : 0;
	default:
		return 0;
	}
}

/* A host without XSAVE has no XCR0, and its guests none but 1. */
static int set_xcr0(int fd, uint64_t xcr0)
{
	struct kvm_xcrs now, x = {.nr_xcrs = 1, .xcrs = {{.value = xcr0}}};

	if (ioctl(fd, KVM_GET_XCRS, &now) < 0)
		return xcr0 == 1 ? 0 : -errno;
	if (now.nr_xcrs == 1 && now.xcrs[0].value == xcr0)
		return 0;
	return ioctl(fd, KVM_SET_XCRS, &x) < 0 ? -errno : 0;
}

int cpu_saved_set(int fd, const struct cpu_saved *cpu, const char **ret_what)
{
	uint64_t tsc = cpu->tsc;
	int r;

	for (uint32_t i = 0; i < cpu->nr_extra; i++) {
		uint64_t now = 0, value = cpu->extra[i].value;

		if (!is_extra(cpu->extra[i].index) || !call_msr(fd, KVM_GET_MSRS, cpu->extra[i].index, &now) ||
		    now == value)
			continue;
		*ret_what = "an MSR";
		if (!call_msr(fd, KVM_SET_MSRS, cpu->extra[i].index, &value))
			return -EINVAL;
	}
	*ret_what = "the time-stamp counter";
	if (!call_msr(fd, KVM_SET_MSRS, MSR_TSC, &tsc))
		return -EINVAL;
	*ret_what = "XCR0";
	r = set_xcr0(fd, cpu->state.xcr0);
	if (r < 0)
		return r;
	*ret_what = "the floating-point registers";
	return set_fpu(fd, cpu);
}
