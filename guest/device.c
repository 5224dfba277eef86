/* SPDX-License-Identifier: MIT */
#include "device.h"

#include <stddef.h>

static const struct device_hooks *driver;

void device_register(const struct device_hooks *hooks)
{
	driver = hooks;
}

void device_interrupt(void)
{
	if (driver)
		driver->interrupt();
}

void device_preempt(void)
{
	if (driver)
		driver->preempt();
}

void device_freed(void)
{
	if (driver)
		driver->freed();
}

bool device_relieve(void)
{
	return driver && driver->relieve();
}

uint64_t device_spare(void)
{
	return driver ? driver->spare() : 0;
}
