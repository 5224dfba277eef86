/* SPDX-License-Identifier: MIT */
#include "virtio/balloon.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>

#include "virtio/balloon_parts.h"
#include "virtio/saved.h"

static const struct virtio_type balloon_type;

static void kick(struct balloon *b)
{
	if (worker_kick(&b->worker) < 0)
		virtio_mmio_fail(&b->transport, "the host gives no thread to serve it");
}

static bool work(void *ctx)
{
	return balloon_serve(ctx);
}

int balloon_init(struct balloon *b, const struct balloon_config *config)
{
	const uint64_t features = VIRTIO_BALLOON_F_MUST_TELL_HOST | VIRTIO_BALLOON_F_STATS_VQ | config->features;

	BUG_ON(config->features & ~BALLOON_OPTIONAL);
	*b = (struct balloon){.config = *config, .target_pages = config->target / PAGE_SIZE};
	for (int i = 0; i < BALLOON_RAM_RANGES; i++)
		b->ram_pages += config->ram[i].size / PAGE_SIZE;
	b->in_balloon_map = calloc(balloon_map_words(b->ram_pages), sizeof(*b->in_balloon_map));
	b->pfns = malloc(BALLOON_PFNS_MAX * sizeof(*b->pfns));
	if (!b->in_balloon_map || !b->pfns) {
		free(b->in_balloon_map);
		free(b->pfns);
		return -ENOMEM;
	}
	virtio_mmio_init(&b->transport, &balloon_type, b, features, config->mem, config->interrupt,
	                 config->interrupt_ctx);
	worker_init(&b->worker, work, b);
	return 0;
}

void balloon_stop(struct balloon *b)
{
	worker_stop(&b->worker);
}

void balloon_destroy(struct balloon *b)
{
	worker_destroy(&b->worker);
	virtio_mmio_destroy(&b->transport);
	free(b->in_balloon_map);
	free(b->pfns);
}

/* The device's side of the transport: lock held. */

static uint32_t config_read(void *dev, int word)
{
	const struct balloon *b = dev;

	return word == offsetof(struct virtio_balloon_config, num_pages) / sizeof(uint32_t) ? b->target_pages
	                                                                                    : b->claimed_pages;
}

static bool config_write(void *dev, int word, uint32_t v)
{
	struct balloon *b = dev;

	if (word != offsetof(struct virtio_balloon_config, actual) / sizeof(uint32_t))
		return false;
	b->claimed_pages = v;
	if (b->changed)
		b->changed(b->changed_ctx, b->ballooned_pages * PAGE_SIZE);
	return true;
}

static void started(void *dev)
{
	kick(dev);
}

static void notify(void *dev, unsigned queue)
{
	kick(dev);
}

static bool reset(void *dev)
{
	struct balloon *b = dev;

	b->claimed_pages = 0;
	b->stats_taken = b->stats_wanted = false;
	if (!b->away && !b->ballooned_pages)
		return true;
	kick(b);
	return false;
}

static const struct virtio_type balloon_type = {
    .name = "balloon",
    .id = VIRTIO_ID_BALLOON,
    .required = VIRTIO_BALLOON_F_MUST_TELL_HOST,
    .queue_needs = {[VIRTIO_BALLOON_QUEUE_STATS] = VIRTIO_BALLOON_F_STATS_VQ,
                    [3] = VIRTIO_NO_QUEUE,
                    [VIRTIO_BALLOON_QUEUE_REPORTING] = VIRTIO_BALLOON_F_REPORTING},
    .nr_queues = VIRTIO_BALLOON_QUEUES,
    .config_words = sizeof(struct virtio_balloon_config) / sizeof(uint32_t),
    .config_read = config_read,
    .config_write = config_write,
    .started = started,
    .notify = notify,
    .reset = reset,
};

/* From outside. */

int balloon_set_target(struct balloon *b, uint64_t bytes)
{
	if (bytes % PAGE_SIZE)
		return -EINVAL;
	if (bytes / PAGE_SIZE > b->ram_pages || bytes / PAGE_SIZE > UINT32_MAX)
		return -ERANGE;
	pthread_mutex_lock(&b->transport.lock);
	if (b->target_pages != bytes / PAGE_SIZE) {
		b->target_pages = bytes / PAGE_SIZE;
		virtio_mmio_config_changed(&b->transport);
	}
	pthread_mutex_unlock(&b->transport.lock);
	return 0;
}

void balloon_set_listener(struct balloon *b, balloon_changed_fn changed, void *ctx)
{
	pthread_mutex_lock(&b->transport.lock);
	b->changed = changed;
	b->changed_ctx = ctx;
	pthread_mutex_unlock(&b->transport.lock);
}

void balloon_get_status(struct balloon *b, struct balloon_status *ret_status)
{
	pthread_mutex_lock(&b->transport.lock);
	*ret_status = (struct balloon_status){
	    .ram = b->ram_pages * PAGE_SIZE,
	    .target = b->target_pages * PAGE_SIZE,
	    .ballooned = b->ballooned_pages * PAGE_SIZE,
	    .claimed = b->claimed_pages * PAGE_SIZE,
	    .driver = virtio_mmio_running(&b->transport),
	    .failure = b->transport.status & VIRTIO_STATUS_NEEDS_RESET ? b->transport.why : NULL,
	};
	pthread_mutex_unlock(&b->transport.lock);
}

void balloon_get_stats(struct balloon *b, struct balloon_stats *ret_stats)
{
	pthread_mutex_lock(&b->transport.lock);
	*ret_stats = b->stats;
	pthread_mutex_unlock(&b->transport.lock);
}

uint64_t balloon_request_stats(struct balloon *b)
{
	uint64_t seq = UINT64_MAX;

	pthread_mutex_lock(&b->transport.lock);
	if (virtio_mmio_running(&b->transport)) {
		/* A buffer that is with the driver may be filled already. */
		seq = b->stats.seq + (b->stats_taken ? 1 : 2);
		b->stats_wanted = true;
		kick(b);
	}
	pthread_mutex_unlock(&b->transport.lock);
	return seq;
}

void balloon_go_on(struct balloon *b)
{
	pthread_mutex_lock(&b->transport.lock);
	if (virtio_mmio_running(&b->transport))
		kick(b);
	pthread_mutex_unlock(&b->transport.lock);
}
