/* SPDX-License-Identifier: MIT */
/* A reset in the middle of a request: no buffer of before comes back after it, no page is lost, no failure stays. */
#include <criterion/criterion.h>

#include "balloon_driver.h"

static void reset_now(void)
{
	put(VIRTIO_MMIO_STATUS, 0);
	cr_assert_neq(get(VIRTIO_MMIO_STATUS), 0);
}

/* A reset while the worker is with ops: its buffer is not given back, its pages are. */
Test(balloon, reset_during_a_request)
{
	during_reclaim = reset_now;
	inflate(0x700);
	during_reclaim = NULL;
	expect("reclaim 700+1;release 700+1;");
	cr_assert_eq(get(VIRTIO_MMIO_STATUS), 0);
	cr_assert_eq(vd_used(&vd, VIRTIO_BALLOON_QUEUE_INFLATE)->idx, 0);
	cr_assert_eq(ballooned(), 0);
	drive(ALL);
	inflate(0x700);
	expect("reclaim 700+1;");
}

/* What goes wrong with a request from before a reset is no failure of the driver after it. */
Test(balloon, failure_during_a_reset)
{
	during_reclaim = reset_now;
	reclaim_fails = 1;
	inflate(0x700);
	expect("");
	cr_assert_eq(get(VIRTIO_MMIO_STATUS), 0);
	cr_assert_eq(balloon.transport.failures, 0);
	cr_assert_eq(interrupts, 0);
}
