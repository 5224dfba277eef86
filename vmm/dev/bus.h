/* SPDX-License-Identifier: MIT */
/*
 * Port and MMIO bus: who answers for an address. Devices are attached before the
 * first vCPU runs and never move, so a lookup takes no lock; a device that several
 * vCPUs can reach at once guards its own state.
 */
#ifndef GNOMON_DEV_BUS_H
#define GNOMON_DEV_BUS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/log.h"

/* One access, as the guest made it. A string port instruction carries count > 1 elements. */
struct bus_access {
	uint64_t offset; /* from the start of the device's range */
	uint8_t size;    /* bytes of one element: 1, 2, 4 or 8 */
	uint32_t count;  /* elements, all at the same offset */
	bool write;
	uint8_t *data; /* size * count bytes: read from when writing, filled when reading */
};

struct bus_device {
	uint64_t base;
	uint64_t len;
	/* `who` is what the caller of bus_dispatch passed: the vCPU. */
	void (*access)(struct bus_device *dev, void *who, const struct bus_access *a);
	void (*reset)(struct bus_device *dev); /* back to the state after power-on; NULL: there is none to change */
	void *owner;
};

#define BUS_DEVICES 16

struct bus {
	struct bus_device *device[BUS_DEVICES];
	int nr_devices;
};

/* `dev` stays the caller's and must outlive the bus. Overlap with another device is a bug of ours. */
void bus_attach(struct bus *bus, struct bus_device *dev);

/* Resets every device. No vCPU is at any of them. */
void bus_reset(const struct bus *bus);

/* Offset is the absolute address here. False when no one device covers the whole element. */
bool bus_dispatch(const struct bus *bus, void *who, struct bus_access a);

#endif
