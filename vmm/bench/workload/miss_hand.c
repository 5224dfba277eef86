/* SPDX-License-Identifier: MIT */
#include "bench/workload/miss_hand.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

#include "bench/workload/miss_pmu.h"

#define WAIT_MS 20000 /* a block takes milliseconds; booting on a busy machine some hundreds */

int miss_hand_init(struct miss_hand *h, int end_fd)
{
	*h = (struct miss_hand){.go = eventfd(0, EFD_CLOEXEC),
	                        .done = eventfd(0, EFD_CLOEXEC),
	                        .end_fd = end_fd,
	                        .pmu = -EAGAIN}; /* not opened yet */
	if (h->go >= 0 && h->done >= 0)
		return 0;
	return log_errno(errno, "eventfd");
}

void miss_hand_close(struct miss_hand *h)
{
	const int fds[] = {h->go, h->done, h->pmu};

	for (size_t i = 0; i < sizeof(fds) / sizeof(*fds); i++)
		if (fds[i] >= 0)
			close(fds[i]);
}

static bool await(int fd)
{
	uint64_t n;
	ssize_t r;

	do
		r = read(fd, &n, sizeof(n));
	while (r < 0 && errno == EINTR);
	return r == sizeof(n);
}

static void wake(int fd)
{
	const uint64_t one = 1;

	(void)!write(fd, &one, sizeof(one));
}

int miss_hand_await(struct miss_hand *h)
{
	struct pollfd fds[] = {{.fd = h->done, .events = POLLIN}, {.fd = h->end_fd, .events = POLLIN}};
	int r;

	do
		r = poll(fds, 2, WAIT_MS);
	while (r < 0 && errno == EINTR);
	if (r > 0 && fds[0].revents)
		return await(h->done) ? 0 : -EIO;
	return r ? -EIO : -ETIMEDOUT;
}

int miss_hand_do(struct miss_hand *h, struct arena_block *block)
{
	int r;

	h->block = *block;
	wake(h->go);
	r = miss_hand_await(h);
	*block = h->block;
	return r;
}

void miss_hand_wake(struct miss_hand *h)
{
	wake(h->go);
}

/*
 * How often this thread has lost its CPU. Between blocks it does so whenever it wakes the benchmark's thread, which runs
 * at once: that is no disturbance.
 */
static uint64_t losses(void)
{
	struct rusage usage;

	getrusage(RUSAGE_THREAD, &usage);
	return usage.ru_nivcsw;
}

/* It opens its counter when it comes here first. */
static void count(struct miss_hand *h, bool begins)
{
	uint64_t now = 0;
	int r;

	if (h->pmu == -EAGAIN)
		h->pmu = miss_pmu_open(MISS_PMU_TYPE, MISS_PMU_CONFIG);
	r = miss_pmu_read(h->pmu, &now);
	h->pmu_error = h->pmu < 0 ? h->pmu : r;
	if (begins)
		h->before = now;
	else
		h->misses = now - h->before;
}

void miss_hand_wait_again(struct miss_hand *h)
{
	wake(h->done);
	(void)await(h->go);
}

void miss_hand_wait(struct miss_hand *h)
{
	count(h, false);
	if (h->began)
		h->disturbances += losses() - h->lost;
	miss_hand_wait_again(h);
}

void miss_hand_begin(struct miss_hand *h)
{
	sched_yield(); /* who woke this thread may not have come to its wait yet, and would do so within the block */
	h->lost = losses();
	h->began = true;
	count(h, true);
}
