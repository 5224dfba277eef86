/* SPDX-License-Identifier: MIT */
/* Who answers for a port or an address: exactly one device, and only when it covers the whole access. */
#include <criterion/criterion.h>
#include <signal.h>

#include "dev/bus.h"

struct probe {
	struct bus_device dev;
	int calls;
	void *who;
	struct bus_access last;
};

static void on_access(struct bus_device *dev, void *who, const struct bus_access *a)
{
	struct probe *p = dev->owner;

	p->calls++;
	p->who = who;
	p->last = *a;
}

static void probe_init(struct probe *p, uint64_t base, uint64_t len)
{
	*p = (struct probe){.dev = {.base = base, .len = len, .access = on_access, .owner = p}};
}

static bool touch(const struct bus *bus, uint64_t offset, uint8_t size)
{
	uint8_t data[8] = {0};

	return bus_dispatch(bus, NULL, (struct bus_access){.offset = offset, .size = size, .count = 1, .data = data});
}

/* The device sees its own offsets, and everything else as the guest made it. */
Test(bus, hands_the_access_on)
{
	uint8_t data[6];
	struct bus bus = {0};
	struct probe p;
	int who;

	probe_init(&p, 0x3f8, 8);
	bus_attach(&bus, &p.dev);
	cr_assert(bus_dispatch(
	    &bus, &who, (struct bus_access){.offset = 0x3fa, .size = 2, .count = 3, .write = true, .data = data}));
	cr_assert_eq(p.calls, 1);
	cr_assert_eq(p.who, &who);
	cr_assert_eq(p.last.offset, 2);
	cr_assert_eq(p.last.size, 2);
	cr_assert_eq(p.last.count, 3);
	cr_assert(p.last.write);
	cr_assert_eq(p.last.data, data);
}

/* Neighbours share a border; an access that straddles it belongs to neither. */
Test(bus, straddling_access_is_nobodys)
{
	struct bus bus = {0};
	struct probe low, high;

	probe_init(&low, 0x600, 4);
	probe_init(&high, 0x604, 4);
	bus_attach(&bus, &low.dev);
	bus_attach(&bus, &high.dev);
	cr_assert(touch(&bus, 0x600, 4));
	cr_assert(touch(&bus, 0x603, 1));
	cr_assert_eq(low.calls, 2);
	cr_assert_eq(high.calls, 0);
	cr_assert_not(touch(&bus, 0x603, 2));
	cr_assert_not(touch(&bus, 0x602, 4));
	cr_assert_not(touch(&bus, 0x606, 4));
	cr_assert_not(touch(&bus, 0x5ff, 2));
	cr_assert_not(touch(&bus, 0x600, 8));
	cr_assert_not(touch(&bus, 0x5ff, 1));
	cr_assert_not(touch(&bus, 0x608, 1));
	cr_assert_eq(low.calls, 2);
	cr_assert_eq(high.calls, 0);
	cr_assert(touch(&bus, 0x604, 4));
	cr_assert_eq(high.calls, 1);
}

/* Around 2^64 no sum may wrap. */
Test(bus, top_of_the_address_space)
{
	struct bus bus = {0};
	struct probe p;

	probe_init(&p, ~0ull - 7, 8);
	bus_attach(&bus, &p.dev);
	cr_assert(touch(&bus, ~0ull - 7, 8));
	cr_assert(touch(&bus, ~0ull, 1));
	cr_assert_not(touch(&bus, ~0ull, 2));
	cr_assert_not(touch(&bus, 0, 1));
}

Test(bus, empty_bus_answers_nothing)
{
	const struct bus bus = {0};

	cr_assert_not(touch(&bus, 0, 1));
}

/* Two devices for one address are a bug of ours: abort, not a coin toss. */
Test(bus, overlap_is_a_bug, .signal = SIGABRT)
{
	struct bus bus = {0};
	struct probe a, b;

	probe_init(&a, 0x600, 4);
	probe_init(&b, 0x603, 1);
	bus_attach(&bus, &a.dev);
	bus_attach(&bus, &b.dev);
}

Test(bus, one_device_too_many_is_a_bug, .signal = SIGABRT)
{
	struct bus bus = {0};
	struct probe p[BUS_DEVICES + 1];

	for (int i = 0; i <= BUS_DEVICES; i++) {
		probe_init(&p[i], i, 1);
		bus_attach(&bus, &p[i].dev);
		if (i < BUS_DEVICES)
			cr_assert_eq(bus.nr_devices, i + 1);
	}
}
