/* SPDX-License-Identifier: MIT */
#include "platform/platform.h"

#include <errno.h>
#include <gnomon/x86.h>
#include <string.h>
#include <time.h>

#include "paging/shadow_vm.h"
#include "vm/vcpu.h"
#include "platform/walks.h"

static uint32_t value_of(const struct bus_access *a)
{
	uint32_t v = 0;

	memcpy(&v, a->data, a->size < sizeof(v) ? a->size : sizeof(v));
	return v;
}

/* A read of a write-only port floats high. */
static bool is_write(const struct bus_access *a)
{
	if (!a->write)
		memset(a->data, 0xff, (size_t)a->size * a->count);
	return a->write;
}

static void exit_access(struct bus_device *dev, void *who, const struct bus_access *a)
{
	int status;

	if (!is_write(a))
		return;
	status = value_of(a) & 0xff;
	if (status > 125)
		vm_kill(who, "its exit status %d is not in 0-125", status);
	else
		vm_end(dev->owner, VM_EXITED, status);
}

static void cpu_start_access(struct bus_device *dev, void *who, const struct bus_access *a)
{
	struct vm *vm = dev->owner;
	struct vcpu *caller = who;
	struct gnomon_cpu_start req;
	struct kvm_sregs now, sregs;
	struct kvm_regs regs;
	int r;

	if (!is_write(a))
		return;
	vcpu_pin(caller);
	r = stage2_read(&vm->stage2, gpa_init(value_of(a)), &req, sizeof(req));
	vcpu_unpin(caller);
	if (r < 0) {
		vm_kill(who, "its CPU start request lies outside memory, at 0x%x", value_of(a));
		return;
	}
	if (req.version != GNOMON_ABI_VERSION || req.cpu >= (uint32_t)vm->nr_vcpus) {
		vm_kill(who, "its CPU start request names version %u (of 1) and CPU %u (of %d)", req.version, req.cpu,
		        vm->nr_vcpus);
		return;
	}
	/* Other bits of CR3 are reserved (APM2 3.1.2): KVM would refuse them when that CPU enters, too late. */
	if (req.cr3 & ~(PTE_ADDR | PTE_PWT | PTE_PCD) ||
	    !stage2_ptr(&vm->stage2, gpa_init(req.cr3 & PTE_ADDR), PAGE_SIZE)) {
		vm_kill(who, "its CPU start request has CR3 0x%llx, which is no page table in memory",
		        (unsigned long long)req.cr3);
		return;
	}
	if (vcpu_get_registers(caller, &regs, &now) < 0) {
		log_errno(errno, "KVM_GET_SREGS");
		vm_end(vm, VM_HOST_FAILED, STATUS_HOST_FAILURE);
		return;
	}
	sregs = vcpu_boot_sregs(vm->vcpu[req.cpu], req.cr3);
	sregs.cr0 = now.cr0;
	sregs.cr4 = now.cr4;
	sregs.efer = now.efer;
	if (vcpu_start(vm->vcpu[req.cpu], &sregs,
	               &(struct kvm_regs){.rip = req.rip, .rsp = req.rsp, .rdi = req.rdi, .rflags = 2}) < 0)
		vm_kill(who, "it started CPU %u twice", req.cpu);
}

static void ipi_access(struct bus_device *dev, void *who, const struct bus_access *a)
{
	struct vm *vm = dev->owner;
	uint32_t v = value_of(a), cpu = v >> 8, vector = v & 0xff;

	if (!is_write(a))
		return;
	if (cpu >= (uint32_t)vm->nr_vcpus || vector < 32)
		vm_kill(who, "it sent interrupt %u to CPU %u: vectors are 32-255, CPUs 0-%d", vector, cpu,
		        vm->nr_vcpus - 1);
	else
		vcpu_interrupt(vm->vcpu[cpu], vector);
}

static void nop_access(struct bus_device *dev, void *who, const struct bus_access *a)
{
	(void)is_write(a);
}

/* The request at `at`, checked. False: the guest was killed for it. */
static bool take_walks_request(struct vcpu *vcpu, gpa_t at, struct gnomon_walks *ret_request)
{
	const struct vm *vm = vcpu->vm;
	int r;

	vcpu_pin(vcpu);
	r = stage2_read(&vm->stage2, at, ret_request, sizeof(*ret_request));
	vcpu_unpin(vcpu);
	if (gpa_raw(at) % 64 || r < 0) {
		vm_kill(vcpu, "its request for walks, at 0x%llx, %s", (unsigned long long)gpa_raw(at),
		        r < 0 ? "lies outside memory" : "is not aligned to 64 bytes");
		return false;
	}
	if (ret_request->version != GNOMON_ABI_VERSION || ret_request->bytes > vm->mem.size ||
	    ret_request->first + ret_request->bytes < ret_request->first) {
		vm_kill(vcpu, "its request for walks names version %u (of 1) and 0x%llx bytes from 0x%llx",
		        ret_request->version, (unsigned long long)ret_request->bytes,
		        (unsigned long long)ret_request->first);
		return false;
	}
	return true;
}

static void walks_access(struct bus_device *dev, void *who, const struct bus_access *a)
{
	struct vcpu *vcpu = who;
	struct vm *vm = vcpu->vm;
	const gpa_t at = gpa_init(value_of(a));
	struct gnomon_walks w;
	struct walk_refs refs;
	void *to;

	if (!is_write(a) || !take_walks_request(vcpu, at, &w))
		return;
	vcpu_count_walks(vcpu, gva_init(w.first), w.bytes, &refs);
	w.pages = refs.pages;
	w.low = refs.low;
	w.high = refs.high;
	w.sum_low = refs.sum_low;
	w.sum_high = refs.sum_high;
	vcpu_pin(vcpu);
	to = stage2_ptr(&vm->stage2, at, sizeof(w));
	if (to) /* else somebody took it meanwhile */
		memcpy(to, &w, sizeof(w));
	vcpu_unpin(vcpu);
	if (to && vm->shadow)
		shadow_written(vm->shadow->mmu, &vcpu->counters, at, sizeof(w));
}

static void virtio_access(struct bus_device *dev, void *who, const struct bus_access *a)
{
	struct vcpu *vcpu = who;

	if (!virtio_mmio_access(dev->owner, a))
		counter_inc(&vcpu->counters, CTR_VIRTIO_REFUSED);
	else if (a->write && a->offset == VIRTIO_MMIO_QUEUE_NOTIFY)
		counter_inc(&vcpu->counters, CTR_VIRTIO_NOTIFIES);
}

/* As a driver does it (virtio 1.2, 2.4.2): writes 0, and waits until it reads 0. All pages are back then. */
static void virtio_reset(struct bus_device *dev)
{
	const struct timespec pause = {.tv_nsec = 100000};
	uint32_t status = 0;
	struct bus_access a = {
	    .offset = VIRTIO_MMIO_STATUS, .size = 4, .count = 1, .write = true, .data = (uint8_t *)&status};

	(void)virtio_mmio_access(dev->owner, &a);
	a.write = false;
	while (virtio_mmio_access(dev->owner, &a) && status)
		nanosleep(&pause, NULL);
}

int platform_init(struct platform *p, struct vm *vm, const struct boot_state *boot, uint64_t balloon_features)
{
	*p = (struct platform){
	    .vm = vm,
	    .exit = {.base = GNOMON_PORT_EXIT, .len = 4, .access = exit_access, .owner = vm},
	    .cpu_start = {.base = GNOMON_PORT_CPU_START, .len = 4, .access = cpu_start_access, .owner = vm},
	    .ipi = {.base = GNOMON_PORT_IPI, .len = 4, .access = ipi_access, .owner = vm},
	    .nop = {.base = GNOMON_PORT_NOP, .len = 4, .access = nop_access, .owner = vm},
	    .walks = {.base = GNOMON_PORT_WALKS, .len = 4, .access = walks_access, .owner = vm},
	    .virtio = {.base = GNOMON_VIRTIO_BASE + GNOMON_VIRTIO_BALLOON * GNOMON_VIRTIO_STRIDE,
	               .len = GNOMON_VIRTIO_LEN,
	               .access = virtio_access,
	               .reset = virtio_reset,
	               .owner = &p->balloon.transport},
	    .image = boot->image,
	    .image_end = boot->image_end,
	};
	if (platform_balloon_init(p, balloon_features) < 0)
		return log_errno(ENOMEM, "no memory for the balloon");
	bus_attach(&vm->pio, &p->exit);
	bus_attach(&vm->pio, &p->cpu_start);
	bus_attach(&vm->pio, &p->ipi);
	bus_attach(&vm->pio, &p->nop);
	bus_attach(&vm->pio, &p->walks);
	bus_attach(&vm->mmio, &p->virtio);
	vm->balloon = &p->balloon;
	return 0;
}

void platform_destroy(struct platform *p)
{
	balloon_stop(&p->balloon);
	p->vm->balloon = NULL;
	balloon_destroy(&p->balloon);
}
