/* SPDX-License-Identifier: MIT */
#include "vm/reset.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "vm/reclaim.h"
#include "vm/vcpu.h"

/*
 * The host's pages go, zeroes come at the next touch. KVM forgets all it knows of the guest's tables only with the
 * memslots (docs/hosts.md): so these go and come, too.
 */
static int clear_memory(struct vm *vm)
{
	int r = vm_set_memslots(vm, false);

	if (r == 0) {
		r = guest_mem_clear(&vm->mem);
		if (r < 0)
			log_errno(-r, "guest memory cannot be cleared");
	}
	return r < 0 ? r : vm_set_memslots(vm, true);
}

/* From running or halted to waiting for its start. Its thread is parked, and looks at the request when it goes on. */
static void stop_vcpu(struct vcpu *vcpu)
{
	pthread_mutex_lock(&vcpu->lock);
	if (vcpu->started)
		atomic_fetch_or(&vcpu->requests, REQ_RESET);
	vcpu->started = vcpu->live = false;
	for (int i = 0; i < 4; i++)
		atomic_store(&vcpu->vectors[i], 0);
	pthread_mutex_unlock(&vcpu->lock);
}

static int restart(struct vm *vm, int (*load)(void *ctx, struct boot_state *ret_boot), void *ctx)
{
	struct boot_state boot;
	int r;

	bus_reset(&vm->pio); /* first: a device's own thread writes to guest memory until then */
	bus_reset(&vm->mmio);
	r = vm_has_ended(vm) ? -ECANCELED
	                     : vm_release_all(vm); /* a device that cannot be reset ends the run, and says why */
	if (r == 0)
		r = clear_memory(vm);
	if (r == 0)
		r = vm->paging->reset(vm);
	if (r == 0)
		r = load(ctx, &boot);
	if (r < 0)
		return r;
	for (int i = 0; i < vm->nr_vcpus; i++)
		stop_vcpu(vm->vcpu[i]);
	atomic_store(&vm->dead_cpus, vm->nr_vcpus);
	return vm_start(vm, &boot);
}

int vm_reset(struct vm *vm, int (*load)(void *ctx, struct boot_state *ret_boot), void *ctx, int *ret_vcpu)
{
	int r = 0;

	BUG_ON(!atomic_load(&vm->paused));
	pthread_mutex_lock(&vm->change_lock);
	for (int i = 0; r == 0 && i < vm->nr_vcpus; i++) {
		if (!atomic_load(&vm->vcpu[i]->parked)) {
			*ret_vcpu = i;
			r = -EBUSY;
		}
	}
	if (r == 0) {
		r = restart(vm, load, ctx);
		if (r < 0)
			vm_end(vm, VM_HOST_FAILED, STATUS_HOST_FAILURE);
	}
	pthread_mutex_unlock(&vm->change_lock);
	return r;
}
