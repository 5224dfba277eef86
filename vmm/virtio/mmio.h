/* SPDX-License-Identifier: MIT */
/*
 * virtio-mmio, version 2 (virtio 1.2, section 4.2.2): the register file between a driver and a device of ours.
 *
 *   driver                        here                                  device
 *   Status = 0                    queues, features, interrupts gone     reset(): false when it needs time
 *   ACKNOWLEDGE, DRIVER           in this order
 *   features, FEATURES_OK         stays clear unless they suit
 *   QueueNum, rings, QueueReady   virtq_enable()
 *   DRIVER_OK                                                           started()
 *   QueueNotify                                                         notify()
 *
 * The driver's mistakes are of two kinds. An access that means nothing (wrong width, no such register or queue, a
 * register in the wrong direction) reads 0 or is ignored, and is counted. A step that leaves the device unusable (bad
 * queue, status bits out of order, any queue error) is logged in one sentence and sets DEVICE_NEEDS_RESET: the device
 * stands still until the driver writes 0 to Status. That way out always exists, so nothing here ends the VM.
 *
 * After a reset Status reads 0 only once the device has finished what it was doing (2.4.2 has the driver wait).
 *
 * Interrupts are edges (include/gnomon/abi.h): each new event raises one, whether or not the last was acknowledged.
 */
#ifndef GNOMON_VIRTIO_MMIO_H
#define GNOMON_VIRTIO_MMIO_H

#include <pthread.h>

#include "dev/bus.h"
#include "virtio/queue.h"

#define VIRTIO_MMIO_QUEUES 8
#define VIRTIO_MMIO_VENDOR 0x4e4d4e47 /* "GNMN" */
#define VIRTIO_NO_QUEUE    (~0ull)

/* A kind of device. The caller of its functions holds the transport's lock; they must not wait. */
struct virtio_type {
	const char *name; /* for messages */
	uint32_t id;
	uint64_t required; /* features beside VERSION_1 without which FEATURES_OK is refused */
	/* By queue number: the feature that the queue exists with, 0 for always, VIRTIO_NO_QUEUE for never. */
	uint64_t queue_needs[VIRTIO_MMIO_QUEUES];
	int nr_queues;
	int config_words; /* size of the device's configuration; all its fields are 32 bits wide */

	uint32_t (*config_read)(void *dev, int word);
	bool (*config_write)(void *dev, int word, uint32_t v); /* false: not for the driver to write */
	void (*started)(void *dev);
	void (*notify)(void *dev, unsigned queue);
	bool (*reset)(void *dev); /* false: virtio_mmio_reset_done() will follow */
};

struct virtio_mmio {
	const struct virtio_type *type;
	void *dev;
	struct virtq_mem mem;
	uint64_t features; /* offered */
	void (*interrupt)(void *ctx);
	void *interrupt_ctx;

	pthread_mutex_t lock; /* everything below; may be held while a vCPU's lock is taken, never the other way */
	uint32_t status, interrupt_status, generation;
	uint32_t device_features_sel, driver_features_sel, queue_sel;
	uint64_t driver_features;
	bool resetting;
	unsigned epoch;  /* moves with each reset: buffers that were taken before are not given back */
	const char *why; /* the sentence behind NEEDS_RESET, the last one; NULL: there was none */
	unsigned failures;
	struct virtq queue[VIRTIO_MMIO_QUEUES];
};

/* The transport calls `interrupt` with the lock held. `type` and what `mem` points to must outlive the transport. */
void virtio_mmio_init(struct virtio_mmio *t, const struct virtio_type *type, void *dev, uint64_t features,
                      struct virtq_mem mem, void (*interrupt)(void *ctx), void *interrupt_ctx);
void virtio_mmio_destroy(struct virtio_mmio *t);

/*
 * Does the driver's access, at an offset into the register file. False: it meant nothing (see above). Takes the lock.
 */
bool virtio_mmio_access(struct virtio_mmio *t, const struct bus_access *a);

/* The functions from here on are for the device, with the lock held. */

/* True when the device may look at its queues. */
bool virtio_mmio_running(const struct virtio_mmio *t);

/* The driver broke the rules: sets NEEDS_RESET, with a sentence that lives for ever. */
void virtio_mmio_fail(struct virtio_mmio *t, const char *why);

/*
 * Gives back a chain that was taken in `epoch`, unless that epoch is over, and interrupts if the driver wants that.
 * From the device's own thread. It lets go of the lock before it looks at anything, so that mem.watch may wait.
 */
void virtio_mmio_push(struct virtio_mmio *t, unsigned epoch, unsigned queue, uint16_t head, uint32_t written);

/* Tells the driver that the configuration has changed. */
void virtio_mmio_config_changed(struct virtio_mmio *t);

/* The device has finished what reset() began. */
void virtio_mmio_reset_done(struct virtio_mmio *t);

#endif
