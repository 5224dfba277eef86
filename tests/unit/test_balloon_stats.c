/* SPDX-License-Identifier: MIT */
/*
 * The statistics queue: each buffer is taken once, kept until a report is wanted, and back to the driver it came from;
 * a bad one changes no figure.
 */
#include <criterion/criterion.h>

#include "balloon_driver.h"

static void stat(int i, uint16_t tag, uint64_t value)
{
	const struct virtio_balloon_stat s = {tag, value};

	memcpy(vd.bytes + PFNS + i * sizeof(s), &s, sizeof(s));
}

/* The first buffer comes by itself, the next when asked for; unknown tags are passed over. */
Test(balloon, statistics)
{
	struct balloon_stats s;

	balloon_get_stats(&balloon, &s);
	cr_assert_eq(s.seq, 0);
	stat(0, VIRTIO_BALLOON_S_MEMFREE, 1234);
	stat(1, 999, 1);
	stat(2, VIRTIO_BALLOON_S_MEMTOT, ~0ull);
	give(VIRTIO_BALLOON_QUEUE_STATS, PFNS, 30, 0);
	serve();
	balloon_get_stats(&balloon, &s);
	cr_assert_eq(s.seq, 1);
	cr_assert_eq(s.valid, 1u << VIRTIO_BALLOON_S_MEMFREE | 1u << VIRTIO_BALLOON_S_MEMTOT);
	cr_assert_eq(s.value[VIRTIO_BALLOON_S_MEMFREE], 1234);
	cr_assert_eq(s.value[VIRTIO_BALLOON_S_MEMTOT], ~0ull);
	cr_assert_eq(vd_used(&vd, VIRTIO_BALLOON_QUEUE_STATS)->idx, 0); /* kept */
	cr_assert_eq(balloon_request_stats(&balloon), 2);
	cr_assert_eq(balloon_request_stats(&balloon), 2); /* not handed out yet: one answer for both */
	serve();
	cr_assert_eq(vd_used(&vd, VIRTIO_BALLOON_QUEUE_STATS)->idx, 1);
	cr_assert_eq(interrupts, 1);
	/* The second report may have been made before this request: the third is its answer. */
	cr_assert_eq(balloon_request_stats(&balloon),
	             3); /* while the driver is at it: granted with its next buffer, at once */
	serve();
	give(VIRTIO_BALLOON_QUEUE_STATS, PFNS, 10, 0);
	serve();
	balloon_get_stats(&balloon, &s);
	cr_assert_eq(s.seq, 2);
	cr_assert_eq(s.valid, 1u << VIRTIO_BALLOON_S_MEMFREE);
	cr_assert_eq(vd_used(&vd, VIRTIO_BALLOON_QUEUE_STATS)->idx, 2);
}

/* The buffer that was kept is the old driver's; the next one's is taken as the first was, and wanted anew. */
Test(balloon, statistics_after_a_reset)
{
	struct balloon_stats s;

	stat(0, VIRTIO_BALLOON_S_MEMFREE, 1);
	for (int i = 1; i <= 2; i++) {
		give(VIRTIO_BALLOON_QUEUE_STATS, PFNS, 10, 0);
		serve();
		balloon_get_stats(&balloon, &s);
		cr_assert_eq(s.seq, (uint64_t)i);
		cr_assert_eq(vd_used(&vd, VIRTIO_BALLOON_QUEUE_STATS)->idx, 0);
		put(VIRTIO_MMIO_STATUS, 0);
		drive(ALL);
	}
}

/* A second buffer waits its turn: none is lost, and each goes back once. */
Test(balloon, two_statistics_buffers)
{
	struct balloon_stats s;

	stat(0, VIRTIO_BALLOON_S_MEMFREE, 1);
	stat(1, VIRTIO_BALLOON_S_MEMFREE, 2);
	for (uint16_t i = 0; i < 2; i++) {
		vd_desc(&vd, VIRTIO_BALLOON_QUEUE_STATS)[i] = (struct virtq_desc){PFNS + i * 10, 10, 0, 0};
		vd_offer(&vd, VIRTIO_BALLOON_QUEUE_STATS, SIZE, i);
	}
	serve();
	for (uint16_t i = 0; i < 2; i++) {
		balloon_get_stats(&balloon, &s);
		cr_assert_eq(s.seq, i + 1);
		cr_assert_eq(s.value[VIRTIO_BALLOON_S_MEMFREE], i + 1);
		balloon_request_stats(&balloon);
		serve();
		cr_assert_eq(vd_used(&vd, VIRTIO_BALLOON_QUEUE_STATS)->idx, i + 1);
		cr_assert_eq(vd_used(&vd, VIRTIO_BALLOON_QUEUE_STATS)->ring[i].id, i);
	}
}

Test(balloon, bad_statistics)
{
	static const struct {
		uint64_t at;
		uint32_t len;
		uint16_t flags;
		const char *words;
	} bad[] = {{PFNS, 0, 0, "whole number"},
	           {PFNS, 9, 0, "whole number"},
	           {PFNS, 11, 0, "whole number"},
	           {PFNS, (BALLOON_STATS_MAX + 1) * 10, 0, "too many"},
	           {PFNS, 0xfffffffa, 0, "too many"},
	           {PFNS, 10, VIRTQ_DESC_WRITE, "to write to"},
	           {VD_MEMORY - 5, 10, 0, "outside memory"}};
	struct balloon_stats s;

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		give(VIRTIO_BALLOON_QUEUE_STATS, bad[i].at, bad[i].len, bad[i].flags);
		serve();
		failed(bad[i].words);
		put(VIRTIO_MMIO_STATUS, 0);
		drive(ALL);
	}
	balloon_get_stats(&balloon, &s);
	cr_assert_eq(s.seq, 0);
}
