/* SPDX-License-Identifier: MIT */
#include "bench/workload/miss_native.h"

#include <stdlib.h>

#include "base/thread.h"

struct miss_native {
	struct miss_hand hand;
	void (*run)(struct arena_block *b);
	bool over; /* written before it is woken */
	pthread_t thread;
};

static void *work(void *arg)
{
	struct miss_native *n = arg;

	for (;;) {
		miss_hand_wait(&n->hand);
		if (n->over)
			return NULL;
		miss_hand_begin(&n->hand);
		n->run(&n->hand.block);
	}
}

static void free_native(struct miss_native *n)
{
	miss_hand_close(&n->hand);
	free(n);
}

struct miss_native *miss_native_start(void (*run)(struct arena_block *b))
{
	struct miss_native *n = calloc(1, sizeof(*n));
	int r;

	if (!n)
		return NULL;
	n->run = run;
	r = miss_hand_init(&n->hand, -1);
	if (r == 0) {
		r = -thread_start(&n->thread, work, n);
		if (r < 0)
			log_errno(-r, "a thread for a native environment");
	}
	if (r < 0) {
		free_native(n);
		return NULL;
	}
	r = miss_native_do(n, NULL);
	if (r == 0)
		return n;
	miss_native_stop(n);
	return NULL;
}

int miss_native_do(struct miss_native *n, struct arena_block *block)
{
	const int r = block ? miss_hand_do(&n->hand, block) : miss_hand_await(&n->hand);

	return r < 0 ? log_errno(-r, "a native environment's thread") : 0;
}

struct miss_hand *miss_native_hand(struct miss_native *n)
{
	return &n->hand;
}

void miss_native_stop(struct miss_native *n)
{
	if (!n)
		return;
	n->over = true;
	miss_hand_wake(&n->hand);
	pthread_join(n->thread, NULL);
	free_native(n);
}
