/* SPDX-License-Identifier: MIT */
/*
 * The worker's part: one request at a time from the queues. The transport's lock is held, but let go
 * around every call of ops; a reset may come meanwhile, which the epoch tells.
 */
#include <errno.h>

#include "virtio/balloon_parts.h"

/* Around calls of ops. A reset that comes in between is finished by balloon_serve(). */
static void unlock(struct balloon *b)
{
	b->away = true;
	pthread_mutex_unlock(&b->transport.lock);
}

static void lock(struct balloon *b)
{
	pthread_mutex_lock(&b->transport.lock);
	b->away = false;
}

/* The next chain of a queue. False: none, or an error that was logged. */
static bool pop(struct balloon *b, unsigned queue, struct virtq_chain *ret_chain)
{
	struct virtio_mmio *t = &b->transport;
	const char *why;
	int r;

	if (!t->queue[queue].ready)
		return false;
	r = virtq_pop(&t->queue[queue], ret_chain, &why);
	if (r < 0)
		virtio_mmio_fail(t, why);
	return r > 0;
}

/* How many entries of `size` bytes the chain holds, at least one; 0: the sentence is in ret_why. */
static uint32_t entries(const struct virtq_chain *chain, uint64_t size, uint64_t most, const char **ret_why)
{
	if (chain->nr_out) {
		*ret_why = "a request has a buffer to write to";
		return 0;
	}
	if (!chain->in_len || chain->in_len % size) {
		*ret_why = "a request is not a whole number of entries";
		return 0;
	}
	if (chain->in_len / size > most) {
		*ret_why = "a request has too many entries";
		return 0;
	}
	return chain->in_len / size;
}

static void account(struct balloon *b, struct balloon_run run, bool inflate)
{
	balloon_mark(b, run, inflate);
	counter_add(b->config.counters, inflate ? CTR_BALLOON_INFLATED : CTR_BALLOON_DEFLATED, run.pages);
	counter_inc(b->config.counters, CTR_BALLOON_RUNS);
}

static int reclaim(struct balloon *b, const struct balloon_run *run, unsigned n)
{
	int r = b->config.ops->reclaim(b->config.ops_ctx, run, n);

	for (unsigned i = 0; r == 0 && i < n; i++)
		account(b, run[i], true);
	return r;
}

static int release(struct balloon *b, const struct balloon_run *run, unsigned n)
{
	unsigned done;
	int r = b->config.ops->release(b->config.ops_ctx, run, n, &done);

	for (unsigned i = 0; i < done; i++)
		account(b, run[i], false);
	return r;
}

/* Hands the runs of b->pfns[0, n) to ops, as many at once as it takes, without the lock. NULL, or the sentence. */
static const char *change(struct balloon *b, uint32_t n, bool inflate)
{
	struct balloon_run run[BALLOON_RUNS_MAX];

	for (uint32_t i = 0; i < n;) {
		unsigned runs = 0;

		while (i < n && runs < BALLOON_RUNS_MAX)
			run[runs++] = balloon_next_run(b, n, &i);
		if (inflate && reclaim(b, run, runs) < 0)
			return "the host could not take memory back";
		if (!inflate && release(b, run, runs) < 0)
			return "the host could not give memory back";
	}
	return NULL;
}

static bool serve_pages(struct balloon *b, bool in)
{
	const unsigned queue = in ? VIRTIO_BALLOON_QUEUE_INFLATE : VIRTIO_BALLOON_QUEUE_DEFLATE;
	struct virtio_mmio *t = &b->transport;
	const unsigned epoch = t->epoch;
	struct virtq_chain chain;
	const char *why = NULL;
	uint32_t n;

	if (!pop(b, queue, &chain))
		return false;
	n = entries(&chain, sizeof(*b->pfns), BALLOON_PFNS_MAX, &why);
	if (n && virtq_copy_in(&t->queue[queue], &chain, b->pfns, n * sizeof(*b->pfns), &why) == 0) {
		unlock(b);
		why = balloon_check(b, n, !in);
		if (!why)
			why = change(b, n, in);
		lock(b);
	}
	if (!why)
		virtio_mmio_push(t, epoch, queue, chain.head, 0);
	else if (epoch == t->epoch)
		virtio_mmio_fail(t, why);
	return true;
}

/* 5.5.6.3: the driver's buffer stays here until new statistics are wanted. */
static bool take_stats(struct balloon *b)
{
	struct virtio_mmio *t = &b->transport;
	struct virtio_balloon_stat stat[BALLOON_STATS_MAX];
	struct virtq_chain chain;
	const char *why = NULL;
	uint32_t n;

	if (b->stats_taken || !pop(b, VIRTIO_BALLOON_QUEUE_STATS, &chain))
		return false;
	n = entries(&chain, sizeof(*stat), BALLOON_STATS_MAX, &why);
	if (!n || virtq_copy_in(&t->queue[VIRTIO_BALLOON_QUEUE_STATS], &chain, stat, n * sizeof(*stat), &why) < 0) {
		virtio_mmio_fail(t, why);
		return true;
	}
	b->stats.valid = 0;
	b->stats.seq++;
	for (uint32_t i = 0; i < n; i++) {
		if (stat[i].tag >= VIRTIO_BALLOON_S_NR)
			continue; /* of a later version */
		b->stats.value[stat[i].tag] = stat[i].value;
		b->stats.valid |= 1u << stat[i].tag;
	}
	b->stats_taken = true;
	b->stats_head = chain.head;
	b->stats_epoch = t->epoch;
	return true;
}

static bool serve_stats(struct balloon *b)
{
	bool did = take_stats(b);

	if (b->stats_taken && b->stats_wanted) {
		b->stats_taken = b->stats_wanted = false;
		virtio_mmio_push(&b->transport, b->stats_epoch, VIRTIO_BALLOON_QUEUE_STATS, b->stats_head, 0);
		return true;
	}
	return did;
}

/* Discards the chain's buffers, without the lock. NULL, or the sentence. */
static const char *discard(struct balloon *b, const struct virtq_chain *chain)
{
	if (chain->nr_in)
		return "a report of free pages has a buffer to read from";
	for (int i = 0; i < chain->nr_out; i++) {
		const char *why = balloon_check_range(b, chain->buffer[i].at, chain->buffer[i].len);

		if (why)
			return why;
	}
	for (int i = 0; i < chain->nr_out; i++) {
		if (b->config.ops->discard(b->config.ops_ctx, chain->buffer[i].at, chain->buffer[i].len) < 0)
			return "the host could not take memory back";
		counter_add(b->config.counters, CTR_BALLOON_REPORTED, chain->buffer[i].len / PAGE_SIZE);
		counter_inc(b->config.counters, CTR_BALLOON_RUNS);
	}
	return NULL;
}

static bool serve_reports(struct balloon *b)
{
	struct virtio_mmio *t = &b->transport;
	const unsigned epoch = t->epoch;
	struct virtq_chain chain;
	const char *why;

	if (!pop(b, VIRTIO_BALLOON_QUEUE_REPORTING, &chain))
		return false;
	unlock(b);
	why = discard(b, &chain);
	lock(b);
	if (!why)
		virtio_mmio_push(t, epoch, VIRTIO_BALLOON_QUEUE_REPORTING, chain.head, 0);
	else if (epoch == t->epoch)
		virtio_mmio_fail(t, why);
	return true;
}

/* A reset gives all pages back: the next driver knows nothing of them. */
static void finish_reset(struct balloon *b)
{
	struct balloon_run run;
	int r = 0;

	unlock(b);
	while (r == 0 && balloon_first_run(b, &run)) {
		r = release(b, &run, 1);
		if (r < 0)
			log_errno(-r, "virtio balloon: the host could not give memory back after a reset");
	}
	lock(b);
	virtio_mmio_reset_done(&b->transport);
}

bool balloon_serve(struct balloon *b)
{
	struct virtio_mmio *t = &b->transport;
	bool did;

	pthread_mutex_lock(&t->lock);
	b->busy = true;
	did = virtio_mmio_running(t) &&
	      (serve_pages(b, false) || serve_pages(b, true) || serve_stats(b) || serve_reports(b));
	if (t->resetting)
		finish_reset(b);
	b->busy = false;
	pthread_mutex_unlock(&t->lock);
	return did;
}
