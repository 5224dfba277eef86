/* SPDX-License-Identifier: MIT */
/*
 * The driver's end of virtio-mmio (virtio 1.2, sections 2.7, 3.1 and 4.2), for the kernel and for cost.elf. A queue
 * carries one request at a time, in a chain that begins with descriptor 0. Queues lie in the image.
 */
#ifndef GUEST_VIRTIO_H
#define GUEST_VIRTIO_H

#include <gnomon/virtio.h>
#include <stdbool.h>
#include <stdint.h>

#define VIRTIO_QUEUE_SIZE 16 /* descriptors */

struct virtio_queue {
	struct virtq_desc desc[VIRTIO_QUEUE_SIZE];
	struct {
		uint16_t flags, idx, ring[VIRTIO_QUEUE_SIZE];
	} avail;
	struct {
		uint16_t flags, idx;
		struct virtq_used_elem ring[VIRTIO_QUEUE_SIZE];
	} used;
} __attribute__((aligned(512))); /* none crosses a page */

struct virtio_device {
	uint64_t registers; /* their virtual address */
	uint64_t offset;    /* of the image: its virtual address less its physical one */
	uint64_t features;  /* that both sides have */
};

static inline volatile uint32_t *virtio_register(const struct virtio_device *d, uint32_t offset)
{
	return (volatile uint32_t *)(d->registers + offset);
}

/* The physical address of a part of the image. */
static inline uint64_t virtio_address(const struct virtio_device *d, const void *p)
{
	return (uint64_t)p - d->offset;
}

/* True if the registers belong to a device of this kind. */
bool virtio_is(const struct virtio_device *d, uint32_t id);

/* Resets the device and negotiates `need`, and of `want` what the device has. False: the device refuses. */
bool virtio_negotiate(struct virtio_device *d, uint64_t need, uint64_t want);
bool virtio_set_queue(const struct virtio_device *d, int number, const struct virtio_queue *q);
void virtio_start(const struct virtio_device *d);

/* Hands over the chain at descriptor 0. */
void virtio_offer(const struct virtio_device *d, int number, struct virtio_queue *q);
bool virtio_is_done(const struct virtio_queue *q);

/* Waits until the device has used what it was offered. False: the device failed. */
bool virtio_wait(const struct virtio_device *d, const struct virtio_queue *q);

#endif
