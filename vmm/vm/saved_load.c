/* SPDX-License-Identifier: MIT */
#include <stdlib.h>

#include "kvm/cpu_saved.h"
#include "vm/saved.h"

int vcpu_load_saved(struct vcpu *vcpu)
{
	struct cpu_saved *s = vcpu->saved;
	const char *what;
	int r;

	pthread_mutex_lock(&vcpu->vm->paging_lock);
	r = cpu_saved_set(vcpu->fd, s, &what);
	if (r == 0) {
		what = "the registers";
		r = vcpu->vm->paging->set_state(vcpu, &s->state);
	}
	pthread_mutex_unlock(&vcpu->vm->paging_lock);
	vcpu->saved = NULL;
	free(s);
	return r < 0 ? log_errno(-r, "KVM refuses %s of CPU %d in the snapshot", what, vcpu->id) : 0;
}
