/* SPDX-License-Identifier: MIT */
/* Gnomon's own ports: exit, CPU start, inter-processor interrupt, no-op (include/gnomon/abi.h). */
#ifndef GNOMON_KVM_PLATFORM_H
#define GNOMON_KVM_PLATFORM_H

#include "dev/bus.h"
#include "kvm/vm.h"

struct platform {
	struct bus_device exit, cpu_start, ipi, nop;
};

/* Attaches the ports to vm->pio; `p` must outlive the VM's run. */
void platform_init(struct platform *p, struct vm *vm);

#endif
