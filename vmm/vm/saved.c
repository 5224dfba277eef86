/* SPDX-License-Identifier: MIT */
#include "vm/saved.h"

#include <errno.h>
#include <stdlib.h>

#include "kvm/cpu_regs.h"
#include "kvm/cpu_saved.h"

/* One that was started and did not come to load its state yet: KVM may still hold another guest's. */
static void save_new(const struct vcpu *vcpu, struct cpu_saved *s)
{
	cpu_regs_from_kvm(&s->state, &vcpu->start_regs, &vcpu->start_sregs);
	s->fpu_kind = CPU_FPU_NEW;
	s->nr_extra = 0;
}

int vcpu_save(struct vcpu *vcpu, struct cpu_saved *ret)
{
	int r;

	*ret = (struct cpu_saved){.power = vcpu->started ? CPU_RUNS : CPU_WAITS};
	if (atomic_load(&vcpu->errand))
		return -EAGAIN;
	r = cpu_saved_get(vcpu->vm->kvm_fd, vcpu->fd, ret);
	if (r == 0 && vcpu->started && vcpu->live)
		r = vcpu->vm->paging->get_state(vcpu, &ret->state);
	else
		save_new(vcpu, ret);
	for (int i = 0; i < 4; i++)
		ret->vectors[i] = atomic_load(&vcpu->vectors[i]);
	return r;
}

int vcpu_start_saved(struct vcpu *vcpu, const struct cpu_saved *saved)
{
	struct cpu_saved *copy = malloc(sizeof(*copy));

	if (!copy)
		return -ENOMEM;
	*copy = *saved;
	pthread_mutex_lock(&vcpu->lock);
	BUG_ON(vcpu->started || vcpu->saved);
	for (int i = 0; i < 4; i++)
		atomic_store(&vcpu->vectors[i], saved->vectors[i]);
	if (saved->power == CPU_RUNS) {
		vcpu->saved = copy;
		vcpu->start_sregs = vcpu_boot_sregs(vcpu, 0); /* shadow mode begins with these, and changes them */
		vcpu->started = true;
		copy = NULL;
		atomic_fetch_sub(&vcpu->vm->dead_cpus, 1);
		pthread_cond_broadcast(&vcpu->wake);
	}
	pthread_mutex_unlock(&vcpu->lock);
	free(copy);
	return 0;
}
