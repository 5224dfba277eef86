/* SPDX-License-Identifier: MIT */
/*
 * What a device's driver does for the rest of the kernel. The driver registers these functions when it starts. There is
 * one driver, the balloon's. Before it starts these calls do nothing.
 */
#ifndef GUEST_DEVICE_H
#define GUEST_DEVICE_H

#include <stdbool.h>
#include <stdint.h>

struct device_hooks {
	void (*interrupt)(void); /* the device may have something for the program that serves it */
	void (*preempt)(void);   /* if that program can go on on this CPU, it goes next */
	void (*freed)(void);     /* programs have freed memory */
	bool (*relieve)(void);   /* the allocator has no frames left: true when some have become free */
	uint64_t (*spare)(void); /* pages that `relieve` could add to those that are free */
};

void device_register(const struct device_hooks *hooks);

void device_interrupt(void);
void device_preempt(void);
void device_freed(void);
bool device_relieve(void);
uint64_t device_spare(void);

#endif
