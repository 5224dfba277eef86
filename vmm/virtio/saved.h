/* SPDX-License-Identifier: MIT */
/*
 * A virtio device that stands still, for a snapshot: the transport's registers and queues, and what the balloon knows. What
 * comes from a file is checked as if a driver had written it, and a device that does not pass stays as it was.
 */
#ifndef GNOMON_VIRTIO_SAVED_H
#define GNOMON_VIRTIO_SAVED_H

#include "virtio/balloon.h"

struct virtq_saved {
	uint64_t desc, driver, device;
	uint16_t size, last_avail, used_idx;
	uint8_t ready;
};

struct virtio_mmio_saved {
	uint64_t features, driver_features;
	uint32_t status, interrupt_status, generation;
	uint32_t device_features_sel, driver_features_sel, queue_sel;
	struct virtq_saved queue[VIRTIO_MMIO_QUEUES];
};

struct balloon_saved {
	struct virtio_mmio_saved transport;
	uint64_t target_pages;
	uint32_t claimed_pages;
	uint8_t stats_wanted, stats_taken;
	uint16_t stats_head;
	struct balloon_stats stats;
	uint64_t nr_words; /* of the map */
	uint64_t *in_map;  /* a bit per page of RAM that is in the balloon, in 64s; the owner's to free */
};

/* Words of in_map for so many pages of RAM. */
static inline uint64_t balloon_map_words(uint64_t ram_pages)
{
	return ram_pages / 64 + 1;
}

/* With the transport's lock. virtio_mmio_restore(): NULL, or what is wrong, a clause; the transport is new. */
void virtio_mmio_save(const struct virtio_mmio *t, struct virtio_mmio_saved *ret_saved);
const char *virtio_mmio_restore(struct virtio_mmio *t, const struct virtio_mmio_saved *saved);

/* -EAGAIN: it is at a request, in a moment it will not be. -ENOMEM. Any thread. */
int must_check balloon_save(struct balloon *b, struct balloon_saved *ret_saved);

/* Makes a new balloon as it was saved, over memory that is all there still; reclaim comes later. NULL, or a clause. */
const char *balloon_restore(struct balloon *b, const struct balloon_saved *saved);

/* The worker serves what waits in the queues. After a restore, when memory is as the driver knows it. */
void balloon_go_on(struct balloon *b);

#endif
