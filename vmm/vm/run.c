/* SPDX-License-Identifier: MIT */
/* A vCPU's run loop: the picture is in vm/vcpu.h. */
#include <errno.h>
#include <sys/ioctl.h>

#include "kvm/refusal.h"
#include "vm/reclaim.h"
#include "vm/vcpu.h"

/* Until the VM goes on, or ends. A pause is a state, not a request: whoever looks late sees it too. */
static void park(struct vcpu *vcpu)
{
	pthread_mutex_lock(&vcpu->lock);
	atomic_store(&vcpu->parked, true);
	while (vcpu_must_park(vcpu))
		pthread_cond_wait(&vcpu->wake, &vcpu->lock);
	atomic_store(&vcpu->parked, false);
	pthread_mutex_unlock(&vcpu->lock);
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
	if (kvm_is_refused_for_ever(&vcpu->refused, err)) {
		log_error("KVM cannot run vCPU %d: " KVM_REFUSED, vcpu->id);
		vm_end(vcpu->vm, VM_HOST_FAILED, STATUS_HOST_FAILURE);
		return;
	}
	if (err == EINTR || err == EAGAIN) {
		counter_inc(&vcpu->counters, CTR_EXITS);
		counter_inc(&vcpu->counters, CTR_EXIT_INTR);
		counter_inc(&vcpu->counters, CTR_KICKS_RECEIVED);
		vcpu->vm->paging->interrupted(vcpu);
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
	const struct paging_ops *paging = vcpu->vm->paging;
	bool interrupts_on;

	/* With interrupts off a vector that waits does not end the halt. */
	if (paging->halted(vcpu, &interrupts_on) && (!interrupts_on || vcpu_pending_vector(vcpu) < 0)) {
		vcpu->unsettled = NULL;
		vcpu_halt(vcpu, interrupts_on);
		return false;
	}
	return paging->enter(vcpu);
}

bool vcpu_begin_run(struct vcpu *vcpu)
{
	atomic_store(&vcpu->in_run, true);
	if (!atomic_load(&vcpu->vm->kept_out))
		return true;
	atomic_store(&vcpu->in_run, false);
	withdrawal_help(&vcpu->vm->withdrawal);
	pthread_mutex_lock(&vcpu->vm->keep_out_lock);
	pthread_mutex_unlock(&vcpu->vm->keep_out_lock);
	return false;
}

void vcpu_end_run(struct vcpu *vcpu)
{
	const int error = errno;

	atomic_store(&vcpu->in_run, false);
	vcpu->vm->paging->left(vcpu);
	withdrawal_help(&vcpu->vm->withdrawal); /* else it would wait for paging_lock, or for keep_out_lock */
	errno = error;
}

static int run(struct vcpu *vcpu)
{
	const int r = ioctl(vcpu->fd, KVM_RUN, 0);

	if (r == 0)
		vcpu->refused = 0;
	vcpu_end_run(vcpu);
	return r;
}

/* False: there is none. */
static bool run_errand(struct vcpu *vcpu)
{
	const struct vcpu_errand *errand = atomic_load(&vcpu->errand);

	if (!errand)
		return false;
	errand->run(vcpu, errand->ctx);
	atomic_store(&vcpu->errand, NULL);
	return true;
}

unsigned vcpu_run_loop(struct vcpu *vcpu)
{
	for (;;) {
		unsigned leave;

		__atomic_store_n(&vcpu->run->immediate_exit, 0, __ATOMIC_SEQ_CST);
		atomic_store(&vcpu->acked, atomic_load(&vcpu->vm->reclaim_generation));
		leave = serve_requests(vcpu);
		if (leave)
			return leave;
		if (atomic_load(&vcpu->vm->paused) && vcpu->vm->paging->settled(vcpu)) {
			park(vcpu);
			continue;
		}
		if (run_errand(vcpu) || !enter(vcpu) || !vcpu_begin_run(vcpu))
			continue;
		if (run(vcpu) < 0) {
			vcpu_run_failed(vcpu, errno);
			continue;
		}
		counter_inc(&vcpu->counters, CTR_EXITS);
		vcpu_handle_exit(vcpu);
	}
}
