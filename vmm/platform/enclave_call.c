/* SPDX-License-Identifier: MIT */
/* A call of the monitor. Its answer is looked at before it is used. */
#include <errno.h>

#include "platform/enclave_parts.h"

bool platform_enclave_call(struct platform_enclaves *e, int slot, enum monitor_op op, struct monitor_reply *ret)
{
	int r;

	monitor_request(e->monitor, slot)->op = op;
	r = monitor_call(e->monitor, slot, ret);
	if (r == 0 && ret->status < GNOMON_ENCLAVE_NR_STATUS && ret->left.reason <= GNOMON_ENCLAVE_FAULTED)
		return true;
	if (r != -EPIPE) /* else on_death() says it */
		log_error("the enclave monitor cannot go on");
	vm_end(e->vm, VM_HOST_FAILED, STATUS_HOST_FAILURE);
	return false;
}
