/* SPDX-License-Identifier: MIT */
#include "virtio/mmio.h"

#include <string.h>

#include "base/log.h"

/* A driver can fail as often as it resets: enough sentences is enough. */
#define FAILURES_SAID 8

#define DRIVER_STATUS                                                                                                  \
	(VIRTIO_STATUS_ACKNOWLEDGE | VIRTIO_STATUS_DRIVER | VIRTIO_STATUS_DRIVER_OK | VIRTIO_STATUS_FEATURES_OK |      \
	 VIRTIO_STATUS_FAILED)

void virtio_mmio_init(struct virtio_mmio *t, const struct virtio_type *type, void *dev, uint64_t features,
                      struct virtq_mem mem, void (*interrupt)(void *ctx), void *interrupt_ctx)
{
	BUG_ON(type->nr_queues > VIRTIO_MMIO_QUEUES);
	*t = (struct virtio_mmio){
	    .type = type,
	    .dev = dev,
	    .mem = mem,
	    .features = features | VIRTIO_F_VERSION_1,
	    .interrupt = interrupt,
	    .interrupt_ctx = interrupt_ctx,
	};
	pthread_mutex_init(&t->lock, NULL);
	for (int i = 0; i < type->nr_queues; i++)
		virtq_reset(&t->queue[i], &t->mem);
}

void virtio_mmio_destroy(struct virtio_mmio *t)
{
	pthread_mutex_destroy(&t->lock);
}

bool virtio_mmio_running(const struct virtio_mmio *t)
{
	return (t->status & (VIRTIO_STATUS_DRIVER_OK | VIRTIO_STATUS_NEEDS_RESET | VIRTIO_STATUS_FAILED)) ==
	           VIRTIO_STATUS_DRIVER_OK &&
	       !t->resetting;
}

static void raise(struct virtio_mmio *t, uint32_t event)
{
	t->interrupt_status |= event;
	t->interrupt(t->interrupt_ctx);
}

void virtio_mmio_fail(struct virtio_mmio *t, const char *why)
{
	t->why = why;
	if (t->failures++ < FAILURES_SAID)
		log_error("virtio %s: %s; the device stands still until its driver resets it", t->type->name, why);
	t->status |= VIRTIO_STATUS_NEEDS_RESET;
	if (t->status & VIRTIO_STATUS_DRIVER_OK) /* 2.1.2 */
		raise(t, VIRTIO_MMIO_INTERRUPT_CFG);
}

static void give_back(struct virtio_mmio *t, unsigned epoch, unsigned queue, uint16_t head, uint32_t written)
{
	const char *why;

	if (epoch != t->epoch || !virtio_mmio_running(t) || !t->queue[queue].ready)
		return;
	if (virtq_push(&t->queue[queue], head, written, &why) < 0)
		virtio_mmio_fail(t, why);
	else if (virtq_wants_interrupt(&t->queue[queue]))
		raise(t, VIRTIO_MMIO_INTERRUPT_USED);
}

void virtio_mmio_push(struct virtio_mmio *t, unsigned epoch, unsigned queue, uint16_t head, uint32_t written)
{
	const struct virtq_watch *watch = t->mem.watch;

	if (watch) { /* a vCPU may wait for our lock with what begin() takes */
		pthread_mutex_unlock(&t->lock);
		watch->begin(t->mem.ctx);
		pthread_mutex_lock(&t->lock);
	}
	give_back(t, epoch, queue, head, written);
	if (watch)
		watch->end(t->mem.ctx);
}

void virtio_mmio_config_changed(struct virtio_mmio *t)
{
	t->generation++;
	if (virtio_mmio_running(t))
		raise(t, VIRTIO_MMIO_INTERRUPT_CFG);
}

void virtio_mmio_reset_done(struct virtio_mmio *t)
{
	t->resetting = false;
	t->status = 0;
}

static void reset(struct virtio_mmio *t)
{
	t->epoch++;
	t->driver_features = 0;
	t->device_features_sel = t->driver_features_sel = t->queue_sel = 0;
	t->interrupt_status = 0;
	for (int i = 0; i < t->type->nr_queues; i++)
		virtq_reset(&t->queue[i], &t->mem);
	if (t->type->reset(t->dev))
		virtio_mmio_reset_done(t);
	else
		t->resetting = true;
}

/* 3.1.1: which steps may follow what is set. NULL, or what is wrong with them. */
static const char *wrong_order(uint32_t old, uint32_t now)
{
	if (old & ~now)
		return "status bits were cleared other than by a reset";
	if (now & VIRTIO_STATUS_DRIVER && !(now & VIRTIO_STATUS_ACKNOWLEDGE))
		return "DRIVER was set without ACKNOWLEDGE";
	if (now & VIRTIO_STATUS_FEATURES_OK && !(now & VIRTIO_STATUS_DRIVER))
		return "FEATURES_OK was set without DRIVER";
	if (now & VIRTIO_STATUS_DRIVER_OK && !(now & VIRTIO_STATUS_FEATURES_OK))
		return "DRIVER_OK was set without FEATURES_OK";
	return NULL;
}

static bool features_suit(const struct virtio_mmio *t)
{
	const uint64_t must = t->type->required | VIRTIO_F_VERSION_1;

	return !(t->driver_features & ~t->features) && (t->driver_features & must) == must;
}

static bool write_status(struct virtio_mmio *t, uint32_t v)
{
	const uint32_t old = t->status & DRIVER_STATUS, now = v & DRIVER_STATUS;
	const char *why;

	if (v == 0) {
		if (!t->resetting)
			reset(t);
		return true;
	}
	if (t->resetting || v & ~(uint32_t)(DRIVER_STATUS | VIRTIO_STATUS_NEEDS_RESET))
		return false;
	if (now & ~old & VIRTIO_STATUS_FEATURES_OK && !features_suit(t)) {
		/* 2.2.2: the driver sees the bit clear and gives up. Setting more at once is the next case. */
		if (!(now & VIRTIO_STATUS_DRIVER_OK))
			return true;
		virtio_mmio_fail(t, "DRIVER_OK was set although FEATURES_OK was refused");
		return true;
	}
	why = wrong_order(old, now);
	if (why) {
		virtio_mmio_fail(t, why);
		return true;
	}
	t->status |= now;
	if (now & ~old & VIRTIO_STATUS_DRIVER_OK && virtio_mmio_running(t))
		t->type->started(t->dev);
	return true;
}

/* The queue with this number, if it exists with the features that were negotiated. */
static struct virtq *queue(struct virtio_mmio *t, uint32_t n)
{
	uint64_t needs;

	if (n >= (uint32_t)t->type->nr_queues)
		return NULL;
	needs = t->type->queue_needs[n];
	if (needs == VIRTIO_NO_QUEUE || (needs && !(t->driver_features & needs)))
		return NULL;
	return &t->queue[n];
}

static bool write_ready(struct virtio_mmio *t, struct virtq *q, uint32_t v)
{
	const char *why;

	if (v == 0) {
		q->ready = false; /* 4.2.2.2: stop using it */
	} else if (q->ready) {
		virtio_mmio_fail(t, "a queue was made ready twice");
	} else if (virtq_enable(q, &why) < 0) {
		virtio_mmio_fail(t, why);
	}
	return true;
}

static void set_low(gpa_t *a, uint32_t v)
{
	*a = gpa_init((gpa_raw(*a) & ~0xffffffffull) | v);
}

static void set_high(gpa_t *a, uint32_t v)
{
	*a = gpa_init((gpa_raw(*a) & 0xffffffffull) | (uint64_t)v << 32);
}

/* Registers of the selected queue. */
static bool write_queue(struct virtio_mmio *t, uint64_t reg, uint32_t v)
{
	struct virtq *q = queue(t, t->queue_sel);

	if (!q)
		return false;
	if (reg != VIRTIO_MMIO_QUEUE_READY && q->ready) {
		virtio_mmio_fail(t, "a queue was changed after it was made ready");
		return true;
	}
	if (t->status & VIRTIO_STATUS_DRIVER_OK && (reg != VIRTIO_MMIO_QUEUE_READY || v)) {
		virtio_mmio_fail(t, "a queue was set up after DRIVER_OK");
		return true;
	}
	switch (reg) {
	case VIRTIO_MMIO_QUEUE_NUM:
		q->size = v > UINT16_MAX ? UINT16_MAX : v;
		return true;
	case VIRTIO_MMIO_QUEUE_READY:
		return v <= 1 && write_ready(t, q, v);
	case VIRTIO_MMIO_QUEUE_DESC_LOW:
		set_low(&q->desc, v);
		return true;
	case VIRTIO_MMIO_QUEUE_DESC_HIGH:
		set_high(&q->desc, v);
		return true;
	case VIRTIO_MMIO_QUEUE_DRIVER_LOW:
		set_low(&q->driver, v);
		return true;
	case VIRTIO_MMIO_QUEUE_DRIVER_HIGH:
		set_high(&q->driver, v);
		return true;
	case VIRTIO_MMIO_QUEUE_DEVICE_LOW:
		set_low(&q->device, v);
		return true;
	default:
		set_high(&q->device, v);
		return true;
	}
}

static bool write_driver_features(struct virtio_mmio *t, uint32_t v)
{
	const unsigned shift = 32 * t->driver_features_sel;

	/* 2.2.1: not after FEATURES_OK; there are 64 bits. */
	if (t->status & VIRTIO_STATUS_FEATURES_OK || t->driver_features_sel > 1)
		return false;
	t->driver_features = (t->driver_features & ~(0xffffffffull << shift)) | (uint64_t)v << shift;
	return true;
}

static bool write_notify(struct virtio_mmio *t, uint32_t n)
{
	const struct virtq *q = queue(t, n);

	if (!q || !q->ready || !virtio_mmio_running(t))
		return false;
	t->type->notify(t->dev, n);
	return true;
}

static bool write_register(struct virtio_mmio *t, uint64_t reg, uint32_t v)
{
	if (reg == VIRTIO_MMIO_STATUS)
		return write_status(t, v);
	if (t->resetting)
		return false;
	switch (reg) {
	case VIRTIO_MMIO_DEVICE_FEATURES_SEL:
		t->device_features_sel = v;
		return true;
	case VIRTIO_MMIO_DRIVER_FEATURES_SEL:
		t->driver_features_sel = v;
		return true;
	case VIRTIO_MMIO_DRIVER_FEATURES:
		return write_driver_features(t, v);
	case VIRTIO_MMIO_QUEUE_SEL:
		t->queue_sel = v;
		return true;
	case VIRTIO_MMIO_QUEUE_NUM:
	case VIRTIO_MMIO_QUEUE_READY:
	case VIRTIO_MMIO_QUEUE_DESC_LOW:
	case VIRTIO_MMIO_QUEUE_DESC_HIGH:
	case VIRTIO_MMIO_QUEUE_DRIVER_LOW:
	case VIRTIO_MMIO_QUEUE_DRIVER_HIGH:
	case VIRTIO_MMIO_QUEUE_DEVICE_LOW:
	case VIRTIO_MMIO_QUEUE_DEVICE_HIGH:
		return write_queue(t, reg, v);
	case VIRTIO_MMIO_QUEUE_NOTIFY:
		return write_notify(t, v);
	case VIRTIO_MMIO_INTERRUPT_ACK:
		t->interrupt_status &= ~v;
		return true;
	case VIRTIO_MMIO_SHM_SEL:
		return true; /* there is no shared memory, whichever is selected */
	default:
		return reg >= VIRTIO_MMIO_CONFIG &&
		       reg - VIRTIO_MMIO_CONFIG < (uint64_t)t->type->config_words * sizeof(v) &&
		       t->type->config_write(t->dev, (reg - VIRTIO_MMIO_CONFIG) / sizeof(v), v);
	}
}

static bool read_register(struct virtio_mmio *t, uint64_t reg, uint32_t *v)
{
	const struct virtq *q = queue(t, t->queue_sel);

	switch (reg) {
	case VIRTIO_MMIO_MAGIC:
		*v = VIRTIO_MMIO_MAGIC_VALUE;
		return true;
	case VIRTIO_MMIO_VERSION:
		*v = VIRTIO_MMIO_VERSION_VALUE;
		return true;
	case VIRTIO_MMIO_DEVICE_ID:
		*v = t->type->id;
		return true;
	case VIRTIO_MMIO_VENDOR_ID:
		*v = VIRTIO_MMIO_VENDOR;
		return true;
	case VIRTIO_MMIO_DEVICE_FEATURES:
		*v = t->device_features_sel > 1 ? 0 : t->features >> 32 * t->device_features_sel;
		return true;
	case VIRTIO_MMIO_QUEUE_NUM_MAX:
		*v = q ? VIRTQ_SIZE_MAX : 0;
		return true;
	case VIRTIO_MMIO_QUEUE_READY:
		*v = q && q->ready;
		return true;
	case VIRTIO_MMIO_INTERRUPT_STATUS:
		*v = t->interrupt_status;
		return true;
	case VIRTIO_MMIO_STATUS:
		*v = t->status;
		return true;
	case VIRTIO_MMIO_SHM_LEN_LOW: /* 4.2.2.1: what does not exist has length and base -1 */
	case VIRTIO_MMIO_SHM_LEN_HIGH:
	case VIRTIO_MMIO_SHM_BASE_LOW:
	case VIRTIO_MMIO_SHM_BASE_HIGH:
		*v = UINT32_MAX;
		return true;
	case VIRTIO_MMIO_CONFIG_GENERATION:
		*v = t->generation;
		return true;
	default:
		if (reg < VIRTIO_MMIO_CONFIG ||
		    reg - VIRTIO_MMIO_CONFIG >= (uint64_t)t->type->config_words * sizeof(*v))
			return false;
		*v = t->type->config_read(t->dev, (reg - VIRTIO_MMIO_CONFIG) / sizeof(*v));
		return true;
	}
}

bool virtio_mmio_access(struct virtio_mmio *t, const struct bus_access *a)
{
	uint32_t v = 0;
	bool known;

	if (!a->write)
		memset(a->data, 0, (size_t)a->size * a->count);
	if (a->size != sizeof(v) || a->count != 1 || a->offset % sizeof(v))
		return false;
	pthread_mutex_lock(&t->lock);
	if (a->write) {
		memcpy(&v, a->data, sizeof(v));
		known = write_register(t, a->offset, v);
	} else {
		known = read_register(t, a->offset, &v);
		memcpy(a->data, &v, sizeof(v));
	}
	pthread_mutex_unlock(&t->lock);
	return known;
}
