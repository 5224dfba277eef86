/* SPDX-License-Identifier: MIT */
#include <unistd.h>

#include "vm/vcpu.h"

enum vm_end vm_how_ended(struct vm *vm)
{
	enum vm_end how;

	pthread_mutex_lock(&vm->lock);
	how = vm->end;
	pthread_mutex_unlock(&vm->lock);
	return how;
}

bool vm_has_ended(struct vm *vm)
{
	return vm_how_ended(vm) != VM_RUNNING;
}

void vm_end(struct vm *vm, enum vm_end how, int status)
{
	const uint64_t one = 1;

	pthread_mutex_lock(&vm->lock);
	if (vm->end == VM_RUNNING) {
		vm->end = how;
		vm->status = status;
		/* An eventfd that is never read to its limit cannot refuse. */
		BUG_ON(write(vm->end_fd, &one, sizeof(one)) != sizeof(one));
	}
	pthread_mutex_unlock(&vm->lock);
	for (int i = 0; i < vm->nr_vcpus; i++)
		vcpu_request(vm->vcpu[i], REQ_END);
}
