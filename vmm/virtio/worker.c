/* SPDX-License-Identifier: MIT */
#include "virtio/worker.h"

#include "base/thread.h"

static void *run(void *arg)
{
	struct worker *w = arg;

	pthread_mutex_lock(&w->lock);
	while (!w->stop) {
		if (!w->due) {
			pthread_cond_wait(&w->wake, &w->lock);
			continue;
		}
		w->due = false;
		pthread_mutex_unlock(&w->lock);
		bool more = w->work(w->ctx);

		pthread_mutex_lock(&w->lock);
		w->due |= more;
	}
	pthread_mutex_unlock(&w->lock);
	return NULL;
}

void worker_init(struct worker *w, bool (*work)(void *ctx), void *ctx)
{
	*w = (struct worker){.work = work, .ctx = ctx};
	pthread_mutex_init(&w->lock, NULL);
	pthread_cond_init(&w->wake, NULL);
}

int worker_kick(struct worker *w)
{
	int r = 0;

	pthread_mutex_lock(&w->lock);
	w->due = true;
	if (!w->has_thread && !w->stop) {
		r = thread_start(&w->thread, run, w);
		w->has_thread = r == 0;
	}
	pthread_cond_signal(&w->wake);
	pthread_mutex_unlock(&w->lock);
	return -r;
}

void worker_stop(struct worker *w)
{
	bool join;

	pthread_mutex_lock(&w->lock);
	w->stop = true;
	join = w->has_thread;
	w->has_thread = false;
	pthread_cond_signal(&w->wake);
	pthread_mutex_unlock(&w->lock);
	if (join)
		pthread_join(w->thread, NULL);
}

void worker_destroy(struct worker *w)
{
	pthread_cond_destroy(&w->wake);
	pthread_mutex_destroy(&w->lock);
}
