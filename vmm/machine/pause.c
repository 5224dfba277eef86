/* SPDX-License-Identifier: MIT */
#include <errno.h>

#include "machine/machine.h"

int machine_pause(struct machine *m, struct control_error *err)
{
	int vcpu;

	if (vm_pause(m->vm, &vcpu) < 0)
		return control_fail(err, ETIMEDOUT, "vCPU %d does not leave the guest; the guest goes on", vcpu);
	return 0;
}
