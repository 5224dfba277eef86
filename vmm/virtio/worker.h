/* SPDX-License-Identifier: MIT */
/*
 * A device's own thread: what a notification asks for may take long and wait for vCPUs,
 * so the vCPU that notified must not do it itself. Started by the first kick.
 */
#ifndef GNOMON_VIRTIO_WORKER_H
#define GNOMON_VIRTIO_WORKER_H

#include <pthread.h>
#include <stdbool.h>

#include "base/log.h"

struct worker {
	bool (*work)(void *ctx);
	void *ctx;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	pthread_t thread;
	bool has_thread, due, stop;
};

/* After a kick `work` runs in the worker's thread, again and again while it returns true, without the worker's lock. */
void worker_init(struct worker *w, bool (*work)(void *ctx), void *ctx);

/* There is work. Any thread; never waits for work. -errno when the host gives no thread. */
int must_check worker_kick(struct worker *w);

/* Lets the current call of `work` end, then the thread; kicks do nothing from now on. */
void worker_stop(struct worker *w);

/* After worker_stop(). */
void worker_destroy(struct worker *w);

#endif
