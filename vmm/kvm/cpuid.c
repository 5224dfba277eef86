/* SPDX-License-Identifier: MIT */
#include "kvm/cpuid.h"

#include <errno.h>
#include <linux/kvm.h>
#include <sys/ioctl.h>

#define ENTRIES 128

int cpuid_set(int kvm_fd, int vcpu_fd, int id)
{
	struct {
		struct kvm_cpuid2 head;
		struct kvm_cpuid_entry2 entry[ENTRIES];
	} c = {.head.nent = ENTRIES};

	if (ioctl(kvm_fd, KVM_GET_SUPPORTED_CPUID, &c) < 0)
		return log_errno(errno, "KVM_GET_SUPPORTED_CPUID");
	for (unsigned i = 0; i < c.head.nent; i++) {
		if (c.entry[i].function == 1)
			c.entry[i].ebx = (c.entry[i].ebx & 0x00ffffff) | (unsigned)id << 24;
		else if (c.entry[i].function == 0xb || c.entry[i].function == 0x1f)
			c.entry[i].edx = id;
	}
	if (ioctl(vcpu_fd, KVM_SET_CPUID2, &c) < 0)
		return log_errno(errno, "KVM_SET_CPUID2");
	return 0;
}
