/* SPDX-License-Identifier: MIT */
/*
 * Gnomon's own ports: exit, CPU start, inter-processor interrupt, no-op, walks; and the devices on the MMIO bus
 * (include/gnomon/abi.h).
 */
#ifndef GNOMON_PLATFORM_PLATFORM_H
#define GNOMON_PLATFORM_PLATFORM_H

#include "boot/boot.h"
#include "dev/bus.h"
#include "vm/vm.h"
#include "virtio/balloon.h"

struct platform {
	struct vm *vm;
	struct bus_device exit, cpu_start, ipi, nop, walks, virtio;
	gpa_t image, image_end; /* not for the balloon */
	struct balloon balloon;
};

/*
 * Attaches the ports and devices to vm->pio and vm->mmio. `p` must outlive the VM's run. `balloon_features` are those
 * of BALLOON_OPTIONAL that the balloon offers. -errno, logged.
 */
int must_check platform_init(struct platform *p, struct vm *vm, const struct boot_state *boot,
                             uint64_t balloon_features);

/* Ends the devices' threads. Call it after vm_join(). */
void platform_destroy(struct platform *p);

/* platform/balloon.c: makes the balloon and its access to guest memory. -ENOMEM. */
int must_check platform_balloon_init(struct platform *p, uint64_t features);

#endif
