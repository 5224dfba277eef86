/* SPDX-License-Identifier: MIT */
#include "virtio/saved.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define STATUS_KNOWN                                                                                                   \
	(VIRTIO_STATUS_ACKNOWLEDGE | VIRTIO_STATUS_DRIVER | VIRTIO_STATUS_DRIVER_OK | VIRTIO_STATUS_FEATURES_OK |      \
	 VIRTIO_STATUS_FAILED | VIRTIO_STATUS_NEEDS_RESET)

void virtio_mmio_save(const struct virtio_mmio *t, struct virtio_mmio_saved *ret_saved)
{
	*ret_saved = (struct virtio_mmio_saved){
	    .features = t->features,
	    .driver_features = t->driver_features,
	    .status = t->status,
	    .interrupt_status = t->interrupt_status,
	    .generation = t->generation,
	    .device_features_sel = t->device_features_sel,
	    .driver_features_sel = t->driver_features_sel,
	    .queue_sel = t->queue_sel,
	};
	for (int i = 0; i < t->type->nr_queues; i++) {
		const struct virtq *q = &t->queue[i];

		ret_saved->queue[i] = (struct virtq_saved){.desc = gpa_raw(q->desc),
		                                           .driver = gpa_raw(q->driver),
		                                           .device = gpa_raw(q->device),
		                                           .size = q->size,
		                                           .last_avail = q->last_avail,
		                                           .used_idx = q->used_idx,
		                                           .ready = q->ready};
	}
}

static const char *restore_queue(struct virtq *q, const struct virtq_saved *saved)
{
	const char *why = NULL;

	q->size = saved->size;
	q->desc = gpa_init(saved->desc);
	q->driver = gpa_init(saved->driver);
	q->device = gpa_init(saved->device);
	if (saved->ready > 1)
		return "a queue is neither ready nor not";
	if (!saved->ready)
		return NULL;
	if (virtq_enable(q, &why) < 0)
		return why;
	q->last_avail = saved->last_avail;
	q->used_idx = saved->used_idx;
	return NULL;
}

const char *virtio_mmio_restore(struct virtio_mmio *t, const struct virtio_mmio_saved *saved)
{
	const char *why = NULL;

	if (saved->features != t->features)
		return "its features are not those that it offers here";
	if (saved->driver_features & ~saved->features && saved->status & VIRTIO_STATUS_FEATURES_OK)
		return "its driver uses features that it was not offered";
	if (saved->status & ~(uint32_t)STATUS_KNOWN)
		return "its status has bits that no device has";
	for (int i = 0; !why && i < t->type->nr_queues; i++)
		why = restore_queue(&t->queue[i], &saved->queue[i]);
	if (why)
		return why;
	t->driver_features = saved->driver_features;
	t->status = saved->status;
	t->interrupt_status = saved->interrupt_status;
	t->generation = saved->generation;
	t->device_features_sel = saved->device_features_sel;
	t->driver_features_sel = saved->driver_features_sel;
	t->queue_sel = saved->queue_sel;
	if (t->status & VIRTIO_STATUS_NEEDS_RESET)
		t->why = "it had failed before the snapshot";
	return NULL;
}

int balloon_save(struct balloon *b, struct balloon_saved *ret_saved)
{
	const uint64_t words = balloon_map_words(b->ram_pages);
	uint64_t *map = malloc(words * sizeof(*map));
	int r = map ? 0 : -ENOMEM;

	pthread_mutex_lock(&b->transport.lock);
	if (r == 0 && (b->busy || b->away || b->transport.resetting))
		r = -EAGAIN;
	if (r == 0) {
		*ret_saved = (struct balloon_saved){
		    .target_pages = b->target_pages,
		    .claimed_pages = b->claimed_pages,
		    .stats_wanted = b->stats_wanted,
		    .stats_taken = b->stats_taken,
		    .stats_head = b->stats_head,
		    .stats = b->stats,
		    .nr_words = words,
		    .in_map = map,
		};
		virtio_mmio_save(&b->transport, &ret_saved->transport);
		memcpy(map, b->in_balloon_map, words * sizeof(*map));
	}
	pthread_mutex_unlock(&b->transport.lock);
	if (r < 0)
		free(map);
	return r;
}

/* What no driver can have brought about. */
static const char *check(const struct balloon *b, const struct balloon_saved *s)
{
	const uint64_t last = b->ram_pages % 64;

	if (s->nr_words != balloon_map_words(b->ram_pages) || s->in_map[s->nr_words - 1] >> last)
		return "its map is not that of this memory";
	if (s->target_pages > b->ram_pages)
		return "it wants more than there is";
	if (s->stats_wanted > 1 || s->stats_taken > 1 || s->stats_head >= VIRTQ_SIZE_MAX ||
	    s->stats.valid >> VIRTIO_BALLOON_S_NR)
		return "its statistics are not those of a balloon";
	return NULL;
}

const char *balloon_restore(struct balloon *b, const struct balloon_saved *s)
{
	const char *why = check(b, s);
	uint64_t pages = 0;

	pthread_mutex_lock(&b->transport.lock);
	if (!why)
		why = virtio_mmio_restore(&b->transport, &s->transport);
	if (!why) {
		b->target_pages = s->target_pages;
		b->claimed_pages = s->claimed_pages;
		b->stats_wanted = s->stats_wanted;
		b->stats_taken = s->stats_taken;
		b->stats_head = s->stats_head;
		b->stats_epoch = b->transport.epoch;
		b->stats = s->stats;
		memcpy(b->in_balloon_map, s->in_map, s->nr_words * sizeof(*s->in_map));
		for (uint64_t i = 0; i < s->nr_words; i++)
			pages += (uint64_t)__builtin_popcountll(s->in_map[i]);
		b->ballooned_pages = pages;
	}
	pthread_mutex_unlock(&b->transport.lock);
	return why;
}
