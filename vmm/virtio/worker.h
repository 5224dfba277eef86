/* SPDX-License-Identifier: MIT */
/*
 * A device's own thread. What a notification asks for may take long and wait for vCPUs, so the vCPU that notifies must
 * not do it itself. The first kick starts the thread.
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

/* After a kick the worker's thread calls `work` until it returns false, without the worker's lock. */
void worker_init(struct worker *w, bool (*work)(void *ctx), void *ctx);

/* Tells the worker that there is work. Never waits for it. -errno: the host gives no thread. Any thread. */
int must_check worker_kick(struct worker *w);

/* Waits for the current call of `work`, then ends the thread. Kicks do nothing from now on. */
void worker_stop(struct worker *w);

/* Call it after worker_stop(). */
void worker_destroy(struct worker *w);

#endif
