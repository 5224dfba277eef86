/* SPDX-License-Identifier: MIT */
#include "vm/vcpu.h"

#include <errno.h>
#include <gnomon/x86.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/nudge.h"
#include "base/thread.h"
#include "kvm/cpuid.h"
#include "vm/reset.h"
#include "vm/saved.h"

void vcpu_join(struct vcpu *vcpu)
{
	if (vcpu->has_thread)
		pthread_join(vcpu->thread, NULL);
	vcpu->has_thread = false;
}

void vcpu_destroy(struct vcpu *vcpu)
{
	if (!vcpu)
		return;
	vcpu_join(vcpu);
	if (vcpu->run != MAP_FAILED)
		munmap(vcpu->run, vcpu->vm->run_size);
	if (vcpu->fd >= 0)
		close(vcpu->fd);
	pthread_cond_destroy(&vcpu->wake);
	pthread_mutex_destroy(&vcpu->lock);
	free(vcpu->saved);
	free(vcpu);
}

struct kvm_sregs vcpu_boot_sregs(const struct vcpu *vcpu, uint64_t cr3)
{
	const struct kvm_segment code = {
	    .selector = GNOMON_BOOT_CS, .type = 0xb, .s = 1, .present = 1, .l = 1, .g = 1, .limit = ~0u};
	const struct kvm_segment data = {
	    .selector = GNOMON_BOOT_DS, .type = 0x3, .s = 1, .present = 1, .db = 1, .g = 1, .limit = ~0u};
	struct kvm_sregs s = vcpu->reset_sregs; /* for what is not promised: APIC base, FS, GS, TR */

	s.cs = code;
	s.ds = s.es = s.ss = data;
	s.cr0 = CR0_PE | CR0_NE | CR0_ET | CR0_PG | CR0_WP;
	s.cr3 = cr3;
	s.cr4 = CR4_PAE;
	s.efer = EFER_LME | EFER_LMA | EFER_NXE;
	return s;
}

int vcpu_start(struct vcpu *vcpu, const struct kvm_sregs *sregs, const struct kvm_regs *regs)
{
	int r = 0;

	pthread_mutex_lock(&vcpu->lock);
	if (vcpu->started) {
		r = -EBUSY;
	} else {
		vcpu->start_sregs = *sregs;
		vcpu->start_regs = *regs;
		vcpu->started = true;
		atomic_fetch_sub(&vcpu->vm->dead_cpus, 1);
		pthread_cond_broadcast(&vcpu->wake);
	}
	pthread_mutex_unlock(&vcpu->lock);
	return r;
}

static bool wait_for_start(struct vcpu *vcpu)
{
	bool started;

	pthread_mutex_lock(&vcpu->lock);
	atomic_store(&vcpu->parked, true); /* not since the reset that brought it here; who pauses need not wait for it */
	while (vcpu_must_park(vcpu) || (!vcpu->started && !(atomic_load(&vcpu->requests) & REQ_END)))
		pthread_cond_wait(&vcpu->wake, &vcpu->lock);
	started = vcpu->started && !(atomic_load(&vcpu->requests) & REQ_END);
	if (started) /* a reset before this start found it waiting here */
		atomic_fetch_and(&vcpu->requests, ~REQ_RESET);
	atomic_store(&vcpu->parked, !started);
	pthread_mutex_unlock(&vcpu->lock);
	return started;
}

static int load_start_state(struct vcpu *vcpu)
{
	if (vcpu->ran && vcpu_forget(vcpu) < 0)
		return -EIO;
	vcpu->ran = true;
	vcpu->halted = vcpu->incomplete = false;
	vcpu->unsettled = NULL;
	atomic_store(&vcpu->errand, NULL);
	vcpu->live = (vcpu->saved ? vcpu_load_saved(vcpu) : vcpu->vm->paging->start(vcpu)) == 0;
	return vcpu->live ? 0 : -EIO;
}

/* KVM's side of the vCPU. -errno, logged. */
static int make(struct vcpu *vcpu)
{
	struct vm *vm = vcpu->vm;
	struct kvm_run *run;

	vcpu->fd = ioctl(vm->fd, KVM_CREATE_VCPU, vcpu->id);
	if (vcpu->fd < 0)
		return log_errno(errno, "KVM_CREATE_VCPU %d", vcpu->id);
	run = mmap(NULL, vm->run_size, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu->fd, 0);
	if (run == MAP_FAILED)
		return log_errno(errno, "cannot map the run structure of vCPU %d", vcpu->id);
	pthread_mutex_lock(&vcpu->lock);
	vcpu->run = run;
	pthread_mutex_unlock(&vcpu->lock);
	if (ioctl(vcpu->fd, KVM_GET_SREGS, &vcpu->reset_sregs) < 0)
		return log_errno(errno, "KVM_GET_SREGS");
	return 0;
}

/*
 * What nobody waits for. With it a KVM_RUN that ends before the guest's first instruction: what KVM leaves for a
 * VM's first one (since Linux 6.14 it starts a thread then) is over before the image is loaded. -errno, logged.
 */
static int prepare(struct vcpu *vcpu)
{
	const int r = cpuid_set(vcpu->fd, vcpu->id);

	__atomic_store_n(&vcpu->run->immediate_exit, 1, __ATOMIC_SEQ_CST);
	if (r == 0 && vcpu->id == 0)
		(void)ioctl(vcpu->fd, KVM_RUN, 0); /* -EINTR; what else there is will come again */
	return r;
}

static void *vcpu_thread(void *arg)
{
	struct vcpu *vcpu = arg;
	int prepared = -EIO, r = make(vcpu);

	pthread_mutex_lock(&vcpu->lock);
	vcpu->made = r < 0 ? r : 1;
	pthread_cond_broadcast(&vcpu->wake);
	pthread_mutex_unlock(&vcpu->lock);
	if (r >= 0)
		prepared = prepare(vcpu);
	while (r >= 0 && wait_for_start(vcpu)) {
		if (prepared < 0 || load_start_state(vcpu) < 0)
			vm_end(vcpu->vm, VM_HOST_FAILED, STATUS_HOST_FAILURE);
		if (vcpu_run_loop(vcpu) & REQ_END)
			break;
	}
	atomic_store(&vcpu->parked, true);
	pthread_mutex_lock(&vcpu->lock);
	vcpu->alive = false;
	pthread_mutex_unlock(&vcpu->lock);
	return NULL;
}

int vcpu_create(struct vm *vm, int id, struct vcpu **ret_vcpu)
{
	struct vcpu *vcpu = calloc(1, sizeof(*vcpu));
	int r;

	if (!vcpu)
		return log_errno(ENOMEM, "no memory for vCPU %d", id);
	vcpu->vm = vm;
	vcpu->id = id;
	vcpu->fd = -1;
	vcpu->run = MAP_FAILED;
	vcpu->parked = true;
	pthread_mutex_init(&vcpu->lock, NULL);
	pthread_cond_init(&vcpu->wake, NULL);
	nudge_catch();
	pthread_mutex_lock(&vcpu->lock);
	r = thread_start(&vcpu->thread, vcpu_thread, vcpu);
	vcpu->has_thread = vcpu->alive = r == 0;
	pthread_mutex_unlock(&vcpu->lock);
	if (r) {
		vcpu_destroy(vcpu);
		return log_errno(r, "no thread for vCPU %d", id);
	}
	*ret_vcpu = vcpu;
	return 0;
}

int vcpu_wait_made(struct vcpu *vcpu)
{
	int r;

	pthread_mutex_lock(&vcpu->lock);
	while (!vcpu->made)
		pthread_cond_wait(&vcpu->wake, &vcpu->lock);
	r = vcpu->made;
	pthread_mutex_unlock(&vcpu->lock);
	return r < 0 ? r : 0;
}
