/* SPDX-License-Identifier: MIT */
/*
 * Keeps a virtual machine with one vCPU open for as long as an emulated machine lives. With the first of them KVM
 * rewrites instructions of the running kernel (its static keys in __schedule, for one), with the last again; QEMU
 * 7.2's TCG, when several CPUs run, now and then keeps its translation of the breakpoint that stands there for a
 * moment, and the kernel is in int3 for ever. So there is always one more: neither the first nor the last is anybody's
 * test.
 */
#include <err.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <sys/ioctl.h>
#include <unistd.h>

int main(void)
{
	int kvm = open("/dev/kvm", O_RDWR);
	int vm = ioctl(kvm, KVM_CREATE_VM, 0);

	if (vm < 0 || ioctl(vm, KVM_CREATE_VCPU, 0) < 0)
		err(1, "cannot keep a virtual machine open");
	for (;;)
		pause();
}
