/* SPDX-License-Identifier: MIT */
/*
 * The driver's side of a virtqueue, for tests: a small guest memory with rings in it. Guest
 * memory is [0, VD_MEMORY) less the page VD_HOLE, so that "outside" exists inside, too.
 */
#ifndef TESTS_UNIT_VIRTQ_DRIVER_H
#define TESTS_UNIT_VIRTQ_DRIVER_H

#include <stdlib.h>
#include <string.h>

#include "virtio/queue.h"

#define VD_MEMORY 0x100000ull
#define VD_HOLE   0x80000ull /* one page that is no memory */
#define VD_DESC   0x1000ull  /* rings of queue n: + n * VD_RINGS */
#define VD_AVAIL  0x2000ull
#define VD_USED   0x3000ull
#define VD_RINGS  0x3000ull

struct vd {
	uint8_t *bytes;
	struct virtq_mem mem;
};

static inline void *vd_ptr(void *ctx, gpa_t at, uint64_t len)
{
	struct vd *vd = ctx;
	uint64_t a = gpa_raw(at);

	/* The contract of struct virtq_mem: never across a page, never nothing. */
	if (!len || page_offset(a) + len > PAGE_SIZE)
		abort();
	if (a >= VD_MEMORY || (a & PAGE_MASK) == VD_HOLE)
		return NULL;
	return vd->bytes + a;
}

static inline void vd_init(struct vd *vd)
{
	vd->bytes = aligned_alloc(PAGE_SIZE, VD_MEMORY);
	memset(vd->bytes, 0, VD_MEMORY);
	vd->mem = (struct virtq_mem){.ptr = vd_ptr, .ctx = vd};
}

static inline struct virtq_desc *vd_desc(struct vd *vd, int queue)
{
	return (void *)(vd->bytes + VD_DESC + queue * VD_RINGS);
}

static inline struct virtq_avail *vd_avail(struct vd *vd, int queue)
{
	return (void *)(vd->bytes + VD_AVAIL + queue * VD_RINGS);
}

static inline struct virtq_used *vd_used(struct vd *vd, int queue)
{
	return (void *)(vd->bytes + VD_USED + queue * VD_RINGS);
}

/* Offers the chain at `head` in a queue of `size`. */
static inline void vd_offer(struct vd *vd, int queue, uint16_t size, uint16_t head)
{
	struct virtq_avail *avail = vd_avail(vd, queue);

	avail->ring[avail->idx % size] = head;
	avail->idx++;
}

#endif
