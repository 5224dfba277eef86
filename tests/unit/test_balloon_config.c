/* SPDX-License-Identifier: MIT */
/* Features and what hangs on them, the target and what the driver says of it. */
#include <criterion/criterion.h>
#include <errno.h>

#include "balloon_driver.h"

/* 5.5.3.1: the device may insist, and must: pages taken back untold would be reached while the host has them. */
Test(balloon, must_tell_host)
{
	put(VIRTIO_MMIO_STATUS, 0);
	drive(VIRTIO_BALLOON_F_STATS_VQ);
	cr_assert_not(get(VIRTIO_MMIO_STATUS) & VIRTIO_STATUS_FEATURES_OK);
}

/* Off by default, on when asked for. */
Test(balloon, optional_features)
{
	static const uint64_t features[] = {0, VIRTIO_BALLOON_F_DEFLATE_ON_OOM, VIRTIO_BALLOON_F_REPORTING,
	                                    BALLOON_OPTIONAL};

	for (size_t i = 0; i < sizeof(features) / sizeof(*features); i++) {
		balloon_destroy(&balloon);
		cr_assert_eq(balloon_init(&balloon, &(struct balloon_config){.ram = {{gpa_init(0), RAM_LOW}},
		                                                             .features = features[i],
		                                                             .mem = vd.mem,
		                                                             .interrupt = on_interrupt,
		                                                             .ops = &ops}),
		             0);
		balloon_stop(&balloon);
		cr_assert_eq(get(VIRTIO_MMIO_DEVICE_FEATURES) & BALLOON_OPTIONAL, features[i]);
	}
}

/* Without STATS_VQ and REPORTING their queues are not there. */
Test(balloon, queues_need_features)
{
	put(VIRTIO_MMIO_STATUS, 0);
	drive(VIRTIO_BALLOON_F_MUST_TELL_HOST);
	for (int i = 0; i < 6; i++) {
		put(VIRTIO_MMIO_QUEUE_SEL, i);
		cr_assert_eq(get(VIRTIO_MMIO_QUEUE_NUM_MAX) != 0, i < 2, "queue %d", i);
	}
}

Test(balloon, target)
{
	const uint32_t generation = get(VIRTIO_MMIO_CONFIG_GENERATION);
	struct balloon_status s;

	cr_assert_eq(balloon_set_target(&balloon, PAGE_SIZE + 1), -EINVAL);
	cr_assert_eq(balloon_set_target(&balloon, RAM_LOW + RAM_HIGH + PAGE_SIZE), -ERANGE);
	cr_assert_eq(balloon_set_target(&balloon, ~0ull << PAGE_SHIFT), -ERANGE);
	cr_assert_eq(interrupts, 0);
	cr_assert_eq(balloon_set_target(&balloon, RAM_LOW + RAM_HIGH), 0);
	cr_assert_eq(interrupts, 1);
	cr_assert_eq(get(VIRTIO_MMIO_INTERRUPT_STATUS), VIRTIO_MMIO_INTERRUPT_CFG);
	cr_assert_neq(get(VIRTIO_MMIO_CONFIG_GENERATION), generation);
	cr_assert_eq(get(VIRTIO_MMIO_CONFIG), (RAM_LOW + RAM_HIGH) >> PAGE_SHIFT);
	cr_assert_eq(balloon_set_target(&balloon, RAM_LOW + RAM_HIGH), 0); /* no news */
	cr_assert_eq(interrupts, 1);
	balloon_get_status(&balloon, &s);
	cr_assert_eq(s.target, RAM_LOW + RAM_HIGH);
	cr_assert_eq(s.ram, RAM_LOW + RAM_HIGH);
	cr_assert(s.driver);
	put(VIRTIO_MMIO_STATUS, 0);
	balloon_get_status(&balloon, &s);
	cr_assert_not(s.driver);
	cr_assert_eq(balloon_set_target(&balloon, PAGE_SIZE), 0); /* for a driver to come */
	cr_assert_eq(interrupts, 1);
}

static void on_change(void *ctx, uint64_t bytes)
{
	note("changed", gpa_init(0), bytes);
}

/* num_pages is the device's; `actual` is what the driver says, and a lie shows. */
Test(balloon, actual)
{
	struct balloon_status s;

	cr_assert_not(put(VIRTIO_MMIO_CONFIG, 7));
	inflate(0x700, 0x701);
	expect("reclaim 700+2;");
	balloon_set_listener(&balloon, on_change, NULL);
	cr_assert(put(VIRTIO_MMIO_CONFIG + 4, 0xffffffff));
	expect("changed 0+2;");
	balloon_get_status(&balloon, &s);
	cr_assert_eq(s.ballooned, 2 * PAGE_SIZE);
	cr_assert_eq(s.claimed, 0xffffffffull << PAGE_SHIFT);
	cr_assert_eq(get(VIRTIO_MMIO_CONFIG + 4), 0xffffffff);
}
