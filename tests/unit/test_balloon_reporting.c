/* SPDX-License-Identifier: MIT */
/* Free page reporting: a range is discarded and stays the guest's; one that may not be is not touched. */
#include <criterion/criterion.h>

#include "balloon_driver.h"

/* Reported pages stay the guest's; they are not in the balloon, and nothing that is may be reported. */
Test(balloon, reporting)
{
	give(VIRTIO_BALLOON_QUEUE_REPORTING, 0x400000, 0x200000, VIRTQ_DESC_WRITE);
	serve();
	expect("discard 400+200;");
	cr_assert_eq(ballooned(), 0);
	cr_assert_eq(vd_used(&vd, VIRTIO_BALLOON_QUEUE_REPORTING)->idx, 1);
	inflate(0x500);
	expect("reclaim 500+1;");
	give(VIRTIO_BALLOON_QUEUE_REPORTING, 0x400000, 0x200000, VIRTQ_DESC_WRITE);
	serve();
	failed("in the balloon");
	expect("");
}

Test(balloon, bad_reports)
{
	static const struct {
		uint64_t at;
		uint32_t len;
		uint16_t flags;
		const char *words;
	} bad[] = {{0x400000, 0x1000, 0, "to read from"},
	           {0x400001, 0x1000, VIRTQ_DESC_WRITE, "whole pages"},
	           {0x400000, 0xfff, VIRTQ_DESC_WRITE, "whole pages"},
	           {0x400000, 0, VIRTQ_DESC_WRITE, "whole pages"},
	           {RAM_LOW - 0x1000, 0x2000, VIRTQ_DESC_WRITE, "outside memory"},
	           {0xd0000000, 0x1000, VIRTQ_DESC_WRITE, "outside memory"},
	           {0x100000400000, 0x1000, VIRTQ_DESC_WRITE, "outside memory"}, /* more than 32 bits of page number */
	           {0x1ff000, 0x2000, VIRTQ_DESC_WRITE, "kernel image"}};

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		give(VIRTIO_BALLOON_QUEUE_REPORTING, bad[i].at, bad[i].len, bad[i].flags);
		serve();
		failed(bad[i].words);
		expect("");
		put(VIRTIO_MMIO_STATUS, 0);
		drive(ALL);
	}
}
