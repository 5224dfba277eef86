/* SPDX-License-Identifier: MIT */
#include "vm/vm.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "host/host.h"
#include "vm/vcpu.h"

static int open_kvm(struct vm *vm)
{
	const char *path = host_kvm_path();
	int version;

	vm->kvm_fd = open(path, O_RDWR | O_CLOEXEC);
	if (vm->kvm_fd < 0) {
		const char *mend = errno == EACCES ? " (join the group `kvm`, or run as root)"
		                   : errno == ENOENT || errno == ENODEV || errno == ENXIO
		                       ? " (`gnomon host` tells what is missing)"
		                       : "";

		return log_errno(errno, "cannot open %s%s", path, mend);
	}
	version = ioctl(vm->kvm_fd, KVM_GET_API_VERSION, 0);
	if (version < 0)
		return log_errno(errno, "%s does not answer as KVM does", path);
	if (version != KVM_API_VERSION) {
		log_error("%s does not speak KVM API version %d", path, KVM_API_VERSION);
		return -ENOTSUP;
	}
	vm->run_size = ioctl(vm->kvm_fd, KVM_GET_VCPU_MMAP_SIZE, 0);
	vm->sync_regs = ioctl(vm->kvm_fd, KVM_CHECK_EXTENSION, KVM_CAP_SYNC_REGS) > 0;
	return vm->run_size < 0 ? log_errno(errno, "KVM_GET_VCPU_MMAP_SIZE") : 0;
}

int vm_set_memslots(struct vm *vm, bool present)
{
	for (int i = 0; i < vm->mem.nr_regions; i++) {
		const struct mem_region *m = &vm->mem.region[i];
		const struct kvm_userspace_memory_region slot = {
		    .slot = i,
		    .flags = present && vm->logs_writes ? KVM_MEM_LOG_DIRTY_PAGES : 0,
		    .guest_phys_addr = maddr_raw(m->base),
		    .memory_size = present ? m->size : 0,
		    .userspace_addr = (uintptr_t)m->host,
		};

		if (ioctl(vm->fd, KVM_SET_USER_MEMORY_REGION, &slot) < 0)
			return log_errno(errno, "KVM refuses %llu MiB of guest memory",
			                 (unsigned long long)(m->size >> 20));
		if (!present)
			written_note(&vm->stage2.written, stage2_page_of(m->base), m->size);
	}
	return 0;
}

static int create_vcpus(struct vm *vm, int nr)
{
	for (int i = 0; i < nr; i++) {
		const int r = vcpu_create(vm, i, &vm->vcpu[i]);

		if (r < 0)
			return r;
		vm->nr_vcpus++;
	}
	return 0;
}

static int create_parts(struct vm *vm, const struct vm_config *config)
{
	int r;

	vm->end_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (vm->end_fd < 0)
		return log_errno(errno, "eventfd");
	r = open_kvm(vm);
	if (r < 0)
		return r;
	do /* a process that is stopped and goes on meanwhile */
		vm->fd = ioctl(vm->kvm_fd, KVM_CREATE_VM, 0);
	while (vm->fd < 0 && errno == EINTR);
	if (vm->fd < 0)
		return log_errno(errno, "KVM_CREATE_VM");
	r = guest_mem_init(&vm->mem, config->memory, config->backing);
	if (r < 0)
		return backing_refused(config->backing, config->memory, -r);
	if (config->arena)
		guest_mem_borrow(&vm->mem, config->arena, config->arena_size);
	r = stage2_init(&vm->stage2, &vm->mem);
	if (r < 0)
		return log_errno(-r, "no memory for the second stage's tables");
	r = vm_set_memslots(vm, true);
	return r < 0 ? r : create_vcpus(vm, config->cpus);
}

int vm_create(struct vm *vm, const struct vm_config *config)
{
	int r;

	*vm = (struct vm){.kvm_fd = -1, .fd = -1, .end_fd = -1, .paging = config->paging,
	                  .paging_config = config->paging_config,
	                  .history.reason = "start"};
	atomic_init(&vm->dead_cpus, config->cpus);
	pthread_mutex_init(&vm->lock, NULL);
	pthread_mutex_init(&vm->change_lock, NULL);
	pthread_mutex_init(&vm->reclaim_lock, NULL);
	pthread_mutex_init(&vm->paging_lock, NULL);
	pthread_mutex_init(&vm->keep_out_lock, NULL);
	withdrawal_init(&vm->withdrawal, &vm->mem);
	r = create_parts(vm, config);
	if (r < 0)
		vm_destroy(vm);
	return r;
}

void vm_destroy(struct vm *vm)
{
	for (int i = 0; i < vm->nr_vcpus; i++)
		vcpu_request(vm->vcpu[i], REQ_END);
	vm_join(vm);
	vm->paging->destroy(vm);
	for (int i = 0; i < vm->nr_vcpus; i++)
		vcpu_destroy(vm->vcpu[i]);
	vm->nr_vcpus = 0;
	if (vm->fd >= 0)
		close(vm->fd);
	stage2_destroy(&vm->stage2);
	guest_mem_destroy(&vm->mem);
	if (vm->kvm_fd >= 0)
		close(vm->kvm_fd);
	if (vm->end_fd >= 0)
		close(vm->end_fd);
	withdrawal_destroy(&vm->withdrawal);
	pthread_mutex_destroy(&vm->keep_out_lock);
	pthread_mutex_destroy(&vm->paging_lock);
	pthread_mutex_destroy(&vm->change_lock);
	pthread_mutex_destroy(&vm->reclaim_lock);
	pthread_mutex_destroy(&vm->lock);
}

int vm_create_paging(struct vm *vm)
{
	const char *why;

	return vm->paging->create(vm, &why);
}

int vm_start(struct vm *vm, const struct boot_state *boot)
{
	const struct kvm_regs regs = {.rip = gva_raw(boot->rip), .rdi = gpa_raw(boot->fdt), .rflags = 2};
	struct kvm_sregs sregs;

	for (int i = 0; i < vm->nr_vcpus; i++) {
		int r = vcpu_wait_made(vm->vcpu[i]);

		if (r < 0)
			return r;
	}
	sregs = vcpu_boot_sregs(vm->vcpu[0], gpa_raw(boot->cr3));
	return vcpu_start(vm->vcpu[0], &sregs, &regs);
}

#define POLL_PAUSED_NS   20000 /* a kick takes about as long */
#define POLL_MOST_NS     1000000
#define PAUSE_HELD_UP_US 100000
#define PAUSE_GIVE_UP_US 5000000 /* half of a client's patience, and more than a busy emulator's only CPU needs */

/*
 * Whether it came out. Held up by a device, it may only be on its way to KVM_RUN: there immediate_exit, set by the
 * kick, makes KVM_RUN return before the guest's next instruction.
 */
static bool wait_for_pause(struct vcpu *vcpu, int64_t start)
{
	struct timespec pause = {.tv_nsec = POLL_PAUSED_NS};

	while (!vcpu_is_parked(vcpu)) {
		const int64_t waited = clock_us() - start;

		if (waited > PAUSE_HELD_UP_US && atomic_load(&vcpu->at_device))
			return true; /* anything else comes to its end soon, on a busy host a little later */
		if (waited > PAUSE_GIVE_UP_US)
			return false;
		nanosleep(&pause, NULL);
		if (pause.tv_nsec < POLL_MOST_NS)
			pause.tv_nsec += pause.tv_nsec / 8; /* whoever is waited for may need this CPU */
	}
	return true;
}

int vm_pause(struct vm *vm, int *ret_vcpu)
{
	const int64_t start = clock_us();

	pthread_mutex_lock(&vm->lock);
	vm->pauses++;
	atomic_store(&vm->paused, true);
	pthread_mutex_unlock(&vm->lock);
	for (int i = 0; i < vm->nr_vcpus; i++)
		if (!atomic_load(&vm->vcpu[i]->parked))
			vcpu_kick(vm->vcpu[i]);
	for (int i = 0; i < vm->nr_vcpus; i++) {
		if (!wait_for_pause(vm->vcpu[i], start)) {
			vm_resume(vm);
			*ret_vcpu = i;
			return -ETIMEDOUT;
		}
	}
	return 0;
}

void vm_resume(struct vm *vm)
{
	pthread_mutex_lock(&vm->lock);
	atomic_store(&vm->paused, --vm->pauses > 0);
	pthread_mutex_unlock(&vm->lock);
	for (int i = 0; i < vm->nr_vcpus; i++)
		vcpu_wake(vm->vcpu[i]);
}

void vm_join(struct vm *vm)
{
	for (int i = 0; i < vm->nr_vcpus; i++)
		vcpu_join(vm->vcpu[i]);
}

uint64_t vm_tsc_hz(const struct vm *vm)
{
	/* The VM's own answer (Linux 5.18) does not wait for a vCPU. */
	int khz = ioctl(vm->fd, KVM_GET_TSC_KHZ, 0);

	if (khz < 0 && vcpu_wait_made(vm->vcpu[0]) == 0)
		khz = ioctl(vm->vcpu[0]->fd, KVM_GET_TSC_KHZ, 0);

	return khz > 0 ? khz * 1000ull : 0;
}
