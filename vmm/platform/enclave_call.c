/* SPDX-License-Identifier: MIT */
/* What all calls have in common: the guest's request, and the monitor's answer, which is looked at before it is used. */
#include <errno.h>
#include <string.h>

#include "platform/enclave_parts.h"

bool platform_enclave_take(struct vcpu *vcpu, const struct bus_access *a, const char *what, size_t size,
                           void *ret_request, gpa_t *ret_at)
{
	uint32_t at = 0;
	int r;

	if (!a->write) {
		memset(a->data, 0xff, (size_t)a->size * a->count);
		return false;
	}
	memcpy(&at, a->data, a->size < sizeof(at) ? a->size : sizeof(at));
	if (a->count > 1 || atomic_load(&vcpu->errand)) {
		vm_kill(vcpu, "it asked for more than one call of an enclave by one instruction");
		return false;
	}
	*ret_at = gpa_init(at);
	vcpu_pin(vcpu);
	r = stage2_read(&vcpu->vm->stage2, *ret_at, ret_request, size);
	vcpu_unpin(vcpu);
	if (r < 0) {
		vm_kill(vcpu, "its request %s, at 0x%x, lies outside memory", what, at);
		return false;
	}
	if (at % size) {
		vm_kill(vcpu, "its request %s, at 0x%x, is not aligned to %zu bytes", what, at, size);
		return false;
	}
	return true;
}

void platform_enclave_request(struct platform_enclaves *e, int slot, const struct gnomon_enclave_request *q)
{
	struct monitor_request *m = monitor_request(e->monitor, slot);

	*m = (struct monitor_request){
	    .id = q->id,
	    .va = q->va,
	    .rights = q->rights,
	    .pages = q->args[0],
	    .flags = q->flags,
	    .ticket = q->ticket,
	    .create = q->create,
	};
	memcpy(m->args, q->args, sizeof(m->args));
	memcpy(m->expected, q->expected, sizeof(m->expected));
}

/* Each vCPU may find that out, and more than once. One sentence is enough. */
static void give_up(struct platform_enclaves *e, int r)
{
	if (atomic_exchange(&e->given_up, true))
		return;
	if (r == -ETIMEDOUT)
		log_error("the enclave monitor does not answer: the run ends");
	else if (r != -EPIPE) /* else on_death() says it */
		log_error("the enclave monitor cannot go on");
	vm_end(e->vm, VM_HOST_FAILED, STATUS_HOST_FAILURE);
}

bool platform_enclave_call(struct platform_enclaves *e, int slot, enum monitor_op op, struct monitor_reply *ret)
{
	int r;

	if (atomic_load(&e->given_up))
		return false;
	monitor_request(e->monitor, slot)->op = op;
	r = monitor_call(e->monitor, slot, ret);
	if (r == 0 && ret->status < GNOMON_ENCLAVE_NR_STATUS && ret->left.reason <= GNOMON_ENCLAVE_FAULTED)
		return true;
	give_up(e, r);
	return false;
}

enum gnomon_enclave_status platform_enclave_ask(struct platform_enclaves *e, int slot, enum monitor_op op,
                                                const struct gnomon_enclave_request *q)
{
	struct monitor_reply reply;

	platform_enclave_request(e, slot, q);
	return platform_enclave_call(e, slot, op, &reply) ? reply.status : GNOMON_ENCLAVE_NO_MEMORY;
}
