/* SPDX-License-Identifier: MIT */
/*
 * poll(2) tells whether there is room, but not how much, and another process may take it first: a write can block all
 * the same. O_NONBLOCK is no way out, it belongs to all who share the open file. So a timer interrupts the write. A
 * timer takes room in the user's queue of signals; where there is none, a thread ticks instead.
 */
#include "base/patience.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdbool.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/nudge.h"
#include "base/thread.h"

#define TICK_NS 20000000

/* What interrupts the writer's system calls now and then: one of the two, or neither. */
struct ticks {
	bool timer_runs, thread_runs;
	timer_t timer;
	pthread_t thread, writer;
	sem_t over; /* the thread's work is; pthread_cancel(3) would need room in the queue */
};

static void *tick(void *arg)
{
	struct ticks *t = arg;
	struct timespec next;

	clock_gettime(CLOCK_MONOTONIC, &next);
	do {
		next.tv_nsec += TICK_NS;
		next.tv_sec += next.tv_nsec / 1000000000;
		next.tv_nsec %= 1000000000;
		pthread_kill(t->writer, SIG_NUDGE);
	} while (sem_clockwait(&t->over, CLOCK_MONOTONIC, &next) < 0);
	return NULL;
}

static void start_ticking(struct ticks *t)
{
	const struct itimerspec when = {.it_value.tv_nsec = TICK_NS, .it_interval.tv_nsec = TICK_NS};
	struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIG_NUDGE};

	event._sigev_un._tid = gettid();
	t->writer = pthread_self();
	sem_init(&t->over, 0, 0);
	nudge_catch();
	t->timer_runs = timer_create(CLOCK_MONOTONIC, &event, &t->timer) == 0;
	if (t->timer_runs)
		timer_settime(t->timer, 0, &when, NULL);
	else
		t->thread_runs = thread_start(&t->thread, tick, t) == 0;
}

static void stop_ticking(struct ticks *t)
{
	if (t->timer_runs)
		timer_delete(t->timer);
	if (!t->thread_runs)
		return;
	sem_post(&t->over);
	pthread_join(t->thread, NULL);
}

/*
 * 0: a write may do something, if only fail. -ECANCELED, -ETIMEDOUT. A poll(2) that fails (ulimit -n 1, a filter of
 * system calls) is no reason to say nothing: the ticks end a write that blocks.
 */
static int wait_for_room(const struct patience *p, int fd, int64_t limit)
{
	for (;;) {
		struct pollfd fds[] = {{.fd = fd, .events = POLLOUT}, {.fd = p->give_up_fd, .events = POLLIN}};
		const int64_t left = p->ms < 0 ? -1 : limit - clock_ms();
		int n = poll(fds, 2, p->ms >= 0 && left < 0 ? 0 : (int)left);

		if (n < 0 && errno != EINTR && (p->ms < 0 || left > 0))
			return 0;
		if (n > 0 && fds[0].revents)
			return 0;
		if (n > 0)
			return -ECANCELED;
		if (p->ms >= 0 && left <= 0)
			return -ETIMEDOUT;
	}
}

int patience_write(const struct patience *p, int fd, const void *data, size_t len)
{
	struct ticks ticks = {0};
	int64_t limit = clock_ms() + p->ms;
	const char *at = data;
	int r = 0;

	if (p->give_up_fd >= 0 || p->ms >= 0)
		start_ticking(&ticks);
	while (len && r == 0) {
		ssize_t n = -1;

		r = wait_for_room(p, fd, limit);
		if (r == 0)
			n = write(fd, at, len);
		if (n > 0) {
			at += n;
			len -= n;
			limit = clock_ms() + p->ms;
		} else if (r == 0 && n < 0 && errno == EAGAIN) {
			(void)poll(NULL, 0, 1); /* room that poll(2) saw, and that is not enough */
		} else if (r == 0 && (n == 0 || errno != EINTR)) {
			r = n == 0 ? -EIO : -errno;
		}
	}
	stop_ticking(&ticks);
	return r;
}
