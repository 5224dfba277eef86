/* SPDX-License-Identifier: MIT */
/*
 * The shortest possible KVM program: a VM, one vCPU, 2 MiB of memory, one exit, whose character it
 * prints. The floor that `gnomon bench --only startup` holds `gnomon run` against.
 */
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#define MEMORY 0x200000
#define ENTRY  0x1000

/* mov $'!', %al; out %al, $0x10: 16-bit code, as a vCPU starts */
static const uint8_t code[] = {0xb0, '!', 0xe6, 0x10};

static _Noreturn void fail(const char *what)
{
	static const char said[] = "shortest-kvm: cannot ";

	if (write(STDERR_FILENO, said, strlen(said)) < 0 || write(STDERR_FILENO, what, strlen(what)) < 0)
		_exit(2);
	_exit(1);
}

static int must(int fd, const char *what)
{
	if (fd < 0)
		fail(what);
	return fd;
}

static void *must_map(size_t size, int flags, int fd)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, flags, fd, 0);

	if (p == MAP_FAILED)
		fail("map memory\n");
	return p;
}

int main(void)
{
	const char *device = getenv("GNOMON_KVM_DEVICE");
	const int kvm = must(open(device ? device : "/dev/kvm", O_RDWR | O_CLOEXEC), "open the KVM device\n");
	const int vm = must(ioctl(kvm, KVM_CREATE_VM, 0), "create a VM\n");
	uint8_t *memory = must_map(MEMORY, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	const struct kvm_userspace_memory_region slot = {.memory_size = MEMORY, .userspace_addr = (uintptr_t)memory};
	const struct kvm_regs regs = {.rip = ENTRY, .rflags = 2};
	struct kvm_sregs sregs;
	struct kvm_run *run;
	int vcpu;

	must(ioctl(vm, KVM_SET_USER_MEMORY_REGION, &slot), "give the VM memory\n");
	vcpu = must(ioctl(vm, KVM_CREATE_VCPU, 0), "create a vCPU\n");
	run = must_map(must(ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0), "ask for a size\n"), MAP_SHARED, vcpu);
	memcpy(memory + ENTRY, code, sizeof(code));
	must(ioctl(vcpu, KVM_GET_SREGS, &sregs), "read segments\n");
	sregs.cs.base = 0;
	sregs.cs.selector = 0;
	must(ioctl(vcpu, KVM_SET_SREGS, &sregs), "set segments\n");
	must(ioctl(vcpu, KVM_SET_REGS, &regs), "set registers\n");
	must(ioctl(vcpu, KVM_RUN, 0), "run\n");
	if (run->exit_reason != KVM_EXIT_IO)
		fail("get the exit it wants\n");
	return write(STDOUT_FILENO, (const char *)run + run->io.data_offset, 1) == 1 ? 0 : 1;
}
