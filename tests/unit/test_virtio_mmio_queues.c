/* SPDX-License-Identifier: MIT */
/*
 * Queues and interrupts behind the virtio-mmio registers: a queue that does not exist, is of a wrong size or is changed
 * too late does nothing to the device's memory; each event is told once, and acknowledged by its bit.
 */
#include <criterion/criterion.h>

#include "virtio_mmio_driver.h"

/* Queues that do not exist: index too large, never there, not negotiated. Nothing they are told does anything. */
Test(virtio_mmio, queues_that_do_not_exist)
{
	static const uint32_t absent[] = {1, 2, 3, 8, 0xffff, 0x10000, 0xffffffff};
	static const uint64_t regs[] = {VIRTIO_MMIO_QUEUE_NUM,        VIRTIO_MMIO_QUEUE_READY,
	                                VIRTIO_MMIO_QUEUE_DESC_LOW,   VIRTIO_MMIO_QUEUE_DESC_HIGH,
	                                VIRTIO_MMIO_QUEUE_DRIVER_LOW, VIRTIO_MMIO_QUEUE_DRIVER_HIGH,
	                                VIRTIO_MMIO_QUEUE_DEVICE_LOW, VIRTIO_MMIO_QUEUE_DEVICE_HIGH};

	negotiate(FEATURE_A | VIRTIO_F_VERSION_1); /* without what queue 1 needs */
	for (size_t i = 0; i < sizeof(absent) / sizeof(*absent); i++) {
		must_put(VIRTIO_MMIO_QUEUE_SEL, absent[i]);
		const struct virtio_mmio before = transport;

		cr_assert_eq(get(VIRTIO_MMIO_QUEUE_NUM_MAX), 0);
		cr_assert_eq(get(VIRTIO_MMIO_QUEUE_READY), 0);
		for (size_t r = 0; r < sizeof(regs) / sizeof(*regs); r++)
			cr_assert_not(put(regs[r], 1));
		cr_assert_eq(memcmp(&before, &transport, sizeof(transport)), 0, "queue %u", absent[i]);
	}
	set_queue(0, 8);
	must_put(VIRTIO_MMIO_STATUS, 0xf);
	for (size_t i = 0; i < sizeof(absent) / sizeof(*absent); i++)
		cr_assert_not(put(VIRTIO_MMIO_QUEUE_NOTIFY, absent[i]));
	cr_assert_eq(notified, -1);
	must_put(VIRTIO_MMIO_QUEUE_NOTIFY, 0);
	cr_assert_eq(notified, 0);
}

Test(virtio_mmio, queue_sizes)
{
	static const uint32_t bad[] = {0, 3, 256, 0xffff, 0x10000, 0x10008, 0xffffffff};

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		negotiate(GOOD);
		set_queue(0, bad[i]);
		failed("queue");
		cr_assert_eq(get(VIRTIO_MMIO_QUEUE_READY), 0);
	}
}

Test(virtio_mmio, queue_addresses_of_64_bits)
{
	negotiate(GOOD);
	must_put(VIRTIO_MMIO_QUEUE_SEL, 1);
	must_put(VIRTIO_MMIO_QUEUE_DESC_HIGH, 1);
	must_put(VIRTIO_MMIO_QUEUE_DESC_LOW, 0x89abcdef);
	must_put(VIRTIO_MMIO_QUEUE_DRIVER_LOW, 0x11111111);
	must_put(VIRTIO_MMIO_QUEUE_DRIVER_HIGH, 2);
	must_put(VIRTIO_MMIO_QUEUE_DEVICE_HIGH, 3);
	cr_assert_eq(gpa_raw(transport.queue[1].desc), 0x189abcdef);
	cr_assert_eq(gpa_raw(transport.queue[1].driver), 0x211111111);
	cr_assert_eq(gpa_raw(transport.queue[1].device), 0x300000000);
	cr_assert_eq(gpa_raw(transport.queue[0].desc), 0);
}

/* A queue that is ready, and one after DRIVER_OK, is not to be changed. */
Test(virtio_mmio, queue_changed_too_late)
{
	static const uint64_t regs[] = {VIRTIO_MMIO_QUEUE_NUM,         VIRTIO_MMIO_QUEUE_DESC_LOW,
	                                VIRTIO_MMIO_QUEUE_DESC_HIGH,   VIRTIO_MMIO_QUEUE_DRIVER_LOW,
	                                VIRTIO_MMIO_QUEUE_DRIVER_HIGH, VIRTIO_MMIO_QUEUE_DEVICE_LOW,
	                                VIRTIO_MMIO_QUEUE_DEVICE_HIGH};

	for (size_t i = 0; i < sizeof(regs) / sizeof(*regs); i++) {
		negotiate(GOOD);
		set_queue(0, 8);
		must_put(regs[i], 16);
		failed("after it was made ready");
		drive();
		must_put(regs[i], 16);
		failed("after it was made ready");
		drive();
		must_put(VIRTIO_MMIO_QUEUE_SEL, 1);
		must_put(regs[i], 16);
		failed("after DRIVER_OK");
	}
	negotiate(GOOD);
	set_queue(0, 8);
	must_put(VIRTIO_MMIO_QUEUE_READY, 1);
	failed("twice");
	drive();
	must_put(VIRTIO_MMIO_QUEUE_SEL, 1);
	must_put(VIRTIO_MMIO_QUEUE_READY, 1);
	failed("after DRIVER_OK");
}

/* 4.2.2.2: a driver may stop using a queue. */
Test(virtio_mmio, queue_stops)
{
	drive();
	must_put(VIRTIO_MMIO_QUEUE_READY, 0);
	cr_assert_eq(get(VIRTIO_MMIO_QUEUE_READY), 0);
	cr_assert_not(put(VIRTIO_MMIO_QUEUE_NOTIFY, 0));
	virtio_mmio_push(&transport, transport.epoch, 0, 1, 0);
	cr_assert_eq(vd_used(&vd, 0)->idx, 0);
	cr_assert_not(get(VIRTIO_MMIO_STATUS) & VIRTIO_STATUS_NEEDS_RESET);
	negotiate(GOOD);
	cr_assert_not(put(VIRTIO_MMIO_QUEUE_READY, 2));
}

/* Each event is an edge; the status collects them until each is acknowledged by its bit. */
Test(virtio_mmio, interrupts)
{
	drive();
	virtio_mmio_push(&transport, transport.epoch, 0, 1, 0);
	virtio_mmio_push(&transport, transport.epoch, 0, 2, 0);
	cr_assert_eq(interrupts, 2);
	virtio_mmio_config_changed(&transport);
	cr_assert_eq(interrupts, 3);
	cr_assert_eq(get(VIRTIO_MMIO_CONFIG_GENERATION), 1);
	cr_assert_eq(get(VIRTIO_MMIO_INTERRUPT_STATUS), 3);
	must_put(VIRTIO_MMIO_INTERRUPT_ACK, VIRTIO_MMIO_INTERRUPT_USED);
	cr_assert_eq(get(VIRTIO_MMIO_INTERRUPT_STATUS), VIRTIO_MMIO_INTERRUPT_CFG);
	must_put(VIRTIO_MMIO_INTERRUPT_ACK, ~0u);
	cr_assert_eq(get(VIRTIO_MMIO_INTERRUPT_STATUS), 0);
	vd_avail(&vd, 0)->flags = VIRTQ_AVAIL_NO_INTERRUPT;
	virtio_mmio_push(&transport, transport.epoch, 0, 3, 0);
	cr_assert_eq(interrupts, 3);
}

/* Without a driver a new configuration is no event. */
Test(virtio_mmio, config_before_the_driver)
{
	virtio_mmio_config_changed(&transport);
	cr_assert_eq(interrupts, 0);
	cr_assert_eq(get(VIRTIO_MMIO_CONFIG_GENERATION), 1);
}

/* A used ring that vanished under the device's hands. */
Test(virtio_mmio, used_ring_vanishes)
{
	drive();
	transport.queue[0].device = gpa_init(VD_HOLE);
	virtio_mmio_push(&transport, transport.epoch, 0, 1, 0);
	failed("used ring");
}
