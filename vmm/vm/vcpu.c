/* SPDX-License-Identifier: MIT */
#include "vm/vcpu.h"

#include <errno.h>
#include <gnomon/x86.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kvm/cpuid.h"
#include "vm/reclaim.h"
#include "vm/reset.h"
#include "paging/shadow_vm.h"

/* The kick: a handled signal makes KVM_RUN return; the handler has nothing to do. */
#define SIG_KICK SIGRTMIN

static void on_kick(int sig)
{
}

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
	free(vcpu->shadow);
	pthread_cond_destroy(&vcpu->wake);
	pthread_mutex_destroy(&vcpu->lock);
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

void vcpu_request(struct vcpu *vcpu, unsigned bits)
{
	atomic_fetch_or(&vcpu->requests, bits);
	vcpu_kick(vcpu);
}

void vcpu_kick(struct vcpu *vcpu)
{
	pthread_mutex_lock(&vcpu->lock);
	/* Order against the run loop's clear-then-look: see the picture in vcpu.h. Not mapped yet: it will look. */
	if (vcpu->run != MAP_FAILED)
		__atomic_store_n(&vcpu->run->immediate_exit, 1, __ATOMIC_SEQ_CST);
	pthread_cond_broadcast(&vcpu->wake);
	if (vcpu->alive && !pthread_equal(vcpu->thread, pthread_self()))
		pthread_kill(vcpu->thread, SIG_KICK);
	pthread_mutex_unlock(&vcpu->lock);
}

/* What takes a vCPU out of the run loop. */
#define REQ_LEAVE (REQ_END | REQ_RESET)

/* What ends a halt. REQ_INTERRUPT alone does not: its vector may have been delivered before the bit was seen. */
static bool wake_up_due(struct vcpu *vcpu)
{
	return (atomic_load(&vcpu->requests) & REQ_LEAVE) || vcpu_pending_vector(vcpu) >= 0;
}

void vcpu_wait(struct vcpu *vcpu)
{
	pthread_mutex_lock(&vcpu->lock);
	atomic_store(&vcpu->parked, true);
	while (!wake_up_due(vcpu))
		pthread_cond_wait(&vcpu->wake, &vcpu->lock);
	atomic_store(&vcpu->parked, false);
	pthread_mutex_unlock(&vcpu->lock);
}

void vcpu_wake(struct vcpu *vcpu)
{
	pthread_mutex_lock(&vcpu->lock);
	pthread_cond_broadcast(&vcpu->wake);
	pthread_mutex_unlock(&vcpu->lock);
}

/* Until the VM goes on, or ends. A pause is a state, not a request: whoever looks late sees it too. */
static void park(struct vcpu *vcpu)
{
	pthread_mutex_lock(&vcpu->lock);
	atomic_store(&vcpu->parked, true);
	while (atomic_load(&vcpu->vm->paused) && !(atomic_load(&vcpu->requests) & REQ_END))
		pthread_cond_wait(&vcpu->wake, &vcpu->lock);
	atomic_store(&vcpu->parked, false);
	pthread_mutex_unlock(&vcpu->lock);
}

static bool wait_for_start(struct vcpu *vcpu)
{
	bool started;

	pthread_mutex_lock(&vcpu->lock);
	while (!vcpu->started && !(atomic_load(&vcpu->requests) & REQ_END))
		pthread_cond_wait(&vcpu->wake, &vcpu->lock);
	started = vcpu->started;
	atomic_store(&vcpu->parked, !started);
	pthread_mutex_unlock(&vcpu->lock);
	return started;
}

static int load_start_state(struct vcpu *vcpu)
{
	if (vcpu->ran && vcpu_forget(vcpu) < 0)
		return -EIO;
	vcpu->ran = true;
	if (vcpu->shadow)
		return shadow_vcpu_start(vcpu);
	if (vcpu->vm->sync_regs) {
		vcpu->run->s.regs.sregs = vcpu->start_sregs;
		vcpu->run->s.regs.regs = vcpu->start_regs;
		vcpu->run->kvm_dirty_regs = KVM_SYNC_X86_REGS | KVM_SYNC_X86_SREGS;
		return 0;
	}
	if (ioctl(vcpu->fd, KVM_SET_SREGS, &vcpu->start_sregs) < 0 ||
	    ioctl(vcpu->fd, KVM_SET_REGS, &vcpu->start_regs) < 0)
		return log_errno(errno, "KVM refuses the start registers of vCPU %d", vcpu->id);
	return 0;
}

/* Those that make the vCPU leave; REQ_INTERRUPT only breaks the wait: `vectors` speaks for itself. */
static unsigned serve_requests(struct vcpu *vcpu)
{
	unsigned bits = atomic_exchange(&vcpu->requests, 0);

	if (bits)
		counter_inc(&vcpu->counters, CTR_REQUESTS);
	return bits & REQ_LEAVE;
}

void vcpu_run_failed(struct vcpu *vcpu, int err)
{
	if (err == EINTR || err == EAGAIN) {
		counter_inc(&vcpu->counters, CTR_EXITS);
		counter_inc(&vcpu->counters, CTR_EXIT_INTR);
		counter_inc(&vcpu->counters, CTR_KICKS_RECEIVED);
		if (vcpu->shadow)
			shadow_vcpu_interrupted(vcpu);
		return;
	}
	if (err == EFAULT) {
		vcpu_memory_fault(vcpu);
		return;
	}
	log_errno(err, "KVM_RUN on vCPU %d", vcpu->id);
	vm_end(vcpu->vm, VM_HOST_FAILED, STATUS_HOST_FAILURE);
}

/* Everything between the request check and KVM_RUN. False: look at the requests again. */
static bool enter(struct vcpu *vcpu)
{
	bool interrupts_on;

	if (!vcpu->shadow) {
		vcpu_inject_interrupts(vcpu);
		return true;
	}
	interrupts_on = vcpu->shadow->cpu.rflags & RFLAGS_IF;
	/* With interrupts off a vector that waits does not end the halt. */
	if (vcpu->shadow->cpu.halted && (!interrupts_on || vcpu_pending_vector(vcpu) < 0)) {
		vcpu_halt(vcpu, interrupts_on);
		return false;
	}
	return shadow_vcpu_enter(vcpu);
}

/*
 * On to KVM_RUN, unless vCPUs are held (vm/reclaim.c): then waits until they are let go, and false. In this order
 * either it is seen in here and kicked, or it sees that it is held. What it waits for goes faster with its help.
 */
static bool set_in_run(struct vcpu *vcpu)
{
	atomic_store(&vcpu->in_run, true);
	if (!atomic_load(&vcpu->vm->held))
		return true;
	atomic_store(&vcpu->in_run, false);
	withdrawal_help(&vcpu->vm->withdrawal);
	pthread_mutex_lock(&vcpu->vm->hold_lock);
	pthread_mutex_unlock(&vcpu->vm->hold_lock);
	return false;
}

static int run(struct vcpu *vcpu)
{
	const int r = ioctl(vcpu->fd, KVM_RUN, 0);

	atomic_store(&vcpu->in_run, false);
	if (vcpu->shadow)
		atomic_store(&vcpu->shadow->in_guest, false); /* also of one that does not come to the lock: killed */
	withdrawal_help(&vcpu->vm->withdrawal);               /* else it would wait for the lock, or for hold_lock */
	return r;
}

/* Returns the requests that ended it. */
static unsigned run_loop(struct vcpu *vcpu)
{
	for (;;) {
		unsigned leave;

		__atomic_store_n(&vcpu->run->immediate_exit, 0, __ATOMIC_SEQ_CST);
		atomic_store(&vcpu->acked, atomic_load(&vcpu->vm->reclaim_generation));
		leave = serve_requests(vcpu);
		if (leave)
			return leave;
		if (atomic_load(&vcpu->vm->paused)) {
			park(vcpu);
			continue;
		}
		if (!enter(vcpu) || !set_in_run(vcpu))
			continue;
		if (run(vcpu) < 0) {
			vcpu_run_failed(vcpu, errno);
			continue;
		}
		counter_inc(&vcpu->counters, CTR_EXITS);
		vcpu_handle_exit(vcpu);
	}
}

/* KVM's side of the vCPU. -errno, said. */
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
 * VM's first one (since Linux 6.14 it starts a thread then) is over before the image is loaded. -errno, said.
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
		if (run_loop(vcpu) & REQ_END)
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
	const struct sigaction kick = {.sa_handler = on_kick};
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
	sigaction(SIG_KICK, &kick, NULL);
	pthread_mutex_lock(&vcpu->lock);
	r = pthread_create(&vcpu->thread, NULL, vcpu_thread, vcpu);
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
