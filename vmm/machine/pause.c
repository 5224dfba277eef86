/* SPDX-License-Identifier: MIT */
#include <errno.h>

#include "machine/machine.h"
#include "vm/rest.h"

static int told(int r, int vcpu, struct control_error *err)
{
	if (r < 0)
		return control_fail(err, ETIMEDOUT, "vCPU %d does not leave the guest; the guest goes on", vcpu);
	return 0;
}

int machine_pause(struct machine *m, struct control_error *err)
{
	int vcpu, r = vm_pause(m->vm, &vcpu);

	return told(r, vcpu, err);
}

int machine_stop(struct machine *m, struct control_error *err)
{
	int vcpu, r = vm_pause_at_rest(m->vm, &vcpu);

	return told(r, vcpu, err);
}
