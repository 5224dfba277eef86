/* SPDX-License-Identifier: MIT */
#include "virtio.h"

#define RESET_READS 1000000

bool virtio_is(const struct virtio_device *d, uint32_t id)
{
	return *virtio_register(d, VIRTIO_MMIO_MAGIC) == VIRTIO_MMIO_MAGIC_VALUE &&
	       *virtio_register(d, VIRTIO_MMIO_VERSION) == VIRTIO_MMIO_VERSION_VALUE &&
	       *virtio_register(d, VIRTIO_MMIO_DEVICE_ID) == id;
}

static bool reset(volatile uint32_t *status)
{
	*status = 0;
	for (int i = 0; *status; i++)
		if (i == RESET_READS)
			return false;
	return true;
}

/* 3.1.1, steps 1 to 6 */
bool virtio_negotiate(struct virtio_device *d, uint64_t need, uint64_t want)
{
	volatile uint32_t *status = virtio_register(d, VIRTIO_MMIO_STATUS);
	const uint32_t accepted = VIRTIO_STATUS_ACKNOWLEDGE | VIRTIO_STATUS_DRIVER | VIRTIO_STATUS_FEATURES_OK;

	if (!reset(status))
		return false;
	*status = VIRTIO_STATUS_ACKNOWLEDGE;
	*status = VIRTIO_STATUS_ACKNOWLEDGE | VIRTIO_STATUS_DRIVER;
	*virtio_register(d, VIRTIO_MMIO_DEVICE_FEATURES_SEL) = 0;
	d->features = *virtio_register(d, VIRTIO_MMIO_DEVICE_FEATURES) & (need | want);
	if ((d->features & need) != need)
		return false;
	*virtio_register(d, VIRTIO_MMIO_DRIVER_FEATURES_SEL) = 0;
	*virtio_register(d, VIRTIO_MMIO_DRIVER_FEATURES) = d->features;
	*virtio_register(d, VIRTIO_MMIO_DRIVER_FEATURES_SEL) = 1;
	*virtio_register(d, VIRTIO_MMIO_DRIVER_FEATURES) = VIRTIO_F_VERSION_1 >> 32;
	*status = accepted;
	return *status == accepted;
}

/* Images lie below 4 GiB: the upper halves of addresses stay 0. */
bool virtio_set_queue(const struct virtio_device *d, int number, const struct virtio_queue *q)
{
	*virtio_register(d, VIRTIO_MMIO_QUEUE_SEL) = number;
	*virtio_register(d, VIRTIO_MMIO_QUEUE_NUM) = VIRTIO_QUEUE_SIZE;
	*virtio_register(d, VIRTIO_MMIO_QUEUE_DESC_LOW) = virtio_address(d, q->desc);
	*virtio_register(d, VIRTIO_MMIO_QUEUE_DRIVER_LOW) = virtio_address(d, &q->avail);
	*virtio_register(d, VIRTIO_MMIO_QUEUE_DEVICE_LOW) = virtio_address(d, &q->used);
	*virtio_register(d, VIRTIO_MMIO_QUEUE_READY) = 1;
	return *virtio_register(d, VIRTIO_MMIO_QUEUE_READY);
}

void virtio_start(const struct virtio_device *d)
{
	*virtio_register(d, VIRTIO_MMIO_STATUS) =
	    VIRTIO_STATUS_ACKNOWLEDGE | VIRTIO_STATUS_DRIVER | VIRTIO_STATUS_FEATURES_OK | VIRTIO_STATUS_DRIVER_OK;
}

void virtio_offer(const struct virtio_device *d, int number, struct virtio_queue *q)
{
	q->avail.ring[q->avail.idx % VIRTIO_QUEUE_SIZE] = 0;
	__atomic_store_n(&q->avail.idx, q->avail.idx + 1, __ATOMIC_SEQ_CST);
	*virtio_register(d, VIRTIO_MMIO_QUEUE_NOTIFY) = number;
}

bool virtio_is_done(const struct virtio_queue *q)
{
	return __atomic_load_n(&q->used.idx, __ATOMIC_ACQUIRE) == q->avail.idx;
}

bool virtio_wait(const struct virtio_device *d, const struct virtio_queue *q)
{
	while (!virtio_is_done(q))
		if (*virtio_register(d, VIRTIO_MMIO_STATUS) & VIRTIO_STATUS_NEEDS_RESET)
			return false;
	return true;
}
