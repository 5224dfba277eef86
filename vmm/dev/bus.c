/* SPDX-License-Identifier: MIT */
#include "dev/bus.h"

void bus_attach(struct bus *bus, struct bus_device *dev)
{
	BUG_ON(bus->nr_devices == BUS_DEVICES);
	for (int i = 0; i < bus->nr_devices; i++) {
		const struct bus_device *d = bus->device[i];

		BUG_ON(dev->base < d->base + d->len && d->base < dev->base + dev->len);
	}
	bus->device[bus->nr_devices++] = dev;
}

void bus_reset(const struct bus *bus)
{
	for (int i = 0; i < bus->nr_devices; i++)
		if (bus->device[i]->reset)
			bus->device[i]->reset(bus->device[i]);
}

bool bus_dispatch(const struct bus *bus, void *who, struct bus_access a)
{
	for (int i = 0; i < bus->nr_devices; i++) {
		struct bus_device *d = bus->device[i];
		uint64_t off = a.offset - d->base;

		if (off < d->len && a.size <= d->len - off) {
			a.offset = off;
			d->access(d, who, &a);
			return true;
		}
	}
	return false;
}
