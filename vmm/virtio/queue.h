/* SPDX-License-Identifier: MIT */
/*
 * Split virtqueue, device side (virtio 1.2, section 2.7). Everything at the three addresses is the guest's and may
 * change at any time. So the code reads each word once, checks it and does not read it again. What the specification
 * forbids gives -EPROTO and a sentence. The caller then puts the device into DEVICE_NEEDS_RESET (virtio/mmio.h). That
 * is always possible, so no queue error ends the VM.
 *
 *   driver                                     device
 *   desc[head..] = buffers                     virtq_pop:  avail.idx moved? chain -> buffers
 *   avail.ring[idx % size] = head; idx++       virtq_copy_in / virtq_copy_out
 *   notify                                     virtq_push: used.ring[idx % size] = {head, len}; idx++
 *
 * Not offered, so errors or absent: indirect descriptors, event index, packed rings. No locks: one thread at a time.
 */
#ifndef GNOMON_VIRTIO_QUEUE_H
#define GNOMON_VIRTIO_QUEUE_H

#include <gnomon/addr.h>
#include <gnomon/virtio.h>

#include "base/log.h"

#define VIRTQ_SIZE_MAX 128 /* entries; a power of two (2.7) */

/*
 * Whoever keeps a copy of guest memory and must hear what a device stores there. The device calls begin() before the
 * first store, with no lock held, and begin() may wait for vCPUs. Then it calls stored() for each store, then end().
 */
struct virtq_watch {
	void (*begin)(void *ctx);
	void (*stored)(void *ctx, gpa_t at, unsigned len); /* in one page */
	void (*end)(void *ctx);
};

/*
 * The way into guest memory, one page at a time at most. The caller holds the transport's lock, which a vCPU takes
 * inside an MMIO access. So these functions must take no lock that a vCPU holds around such an access.
 */
struct virtq_mem {
	/* The bytes [at, at + len), which do not cross a page; NULL where the guest has no memory. */
	void *(*ptr)(void *ctx, gpa_t at, uint64_t len);
	const struct virtq_watch *watch; /* NULL: nobody */
	void *ctx;
};

struct virtq {
	const struct virtq_mem *mem;
	uint16_t size; /* as the driver chose it; unchecked until virtq_enable() */
	gpa_t desc, driver, device;
	bool ready;
	uint16_t last_avail; /* avail.idx up to which chains were taken */
	uint16_t used_idx;
};

struct virtq_buffer {
	gpa_t at;
	uint32_t len;
};

/* One request: buffers to read from, then buffers to write to. */
struct virtq_chain {
	uint16_t head;
	int nr_in, nr_out; /* device reads buffer[0, nr_in), writes the nr_out behind them */
	uint64_t in_len, out_len;
	struct virtq_buffer buffer[VIRTQ_SIZE_MAX];
};

/* Puts the queue into the state after a reset. `mem` must outlive the queue. */
void virtq_reset(struct virtq *q, const struct virtq_mem *mem);

/*
 * The driver says that the queue is ready: checks its size, its alignment and that the rings lie in memory. -EPROTO
 * with a sentence.
 */
int must_check virtq_enable(struct virtq *q, const char **ret_why);

/* Takes the next chain: 1; 0 when there is none; -EPROTO with a sentence, `ret_chain` undefined. */
int must_check virtq_pop(struct virtq *q, struct virtq_chain *ret_chain, const char **ret_why);

/*
 * Gives a chain back with `written` bytes of its out buffers filled. Call it between begin() and end() of mem->watch,
 * if there is one. -EPROTO with a sentence: the ring is gone.
 */
int must_check virtq_push(struct virtq *q, uint16_t head, uint32_t written, const char **ret_why);

/* True when the driver wants to be interrupted for used buffers (2.7.7). */
bool virtq_wants_interrupt(const struct virtq *q);

/* Copies the first `len` bytes of the chain's in buffers (len <= in_len). -EPROTO, with part copied, outside memory. */
int must_check virtq_copy_in(const struct virtq *q, const struct virtq_chain *chain, void *to, uint64_t len,
                             const char **ret_why);

#endif
