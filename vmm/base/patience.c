/* SPDX-License-Identifier: MIT */
/*
 * poll(2) tells whether there is room, but not how much, and another process may take it first: a write can block all
 * the same. O_NONBLOCK is no way out, it belongs to all who share the open file. So a timer interrupts the write.
 */
#include "base/patience.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"

#define SIG_TICK (SIGRTMIN + 1) /* SIGRTMIN is the vCPUs' */
#define TICK_NS  20000000

static void on_tick(int sig)
{
}

/* From here on this thread's system calls end with EINTR now and then. False: there are no timers left. */
static bool start_ticking(timer_t *ret_timer)
{
	const struct sigaction tick = {.sa_handler = on_tick};
	const struct itimerspec when = {.it_value.tv_nsec = TICK_NS, .it_interval.tv_nsec = TICK_NS};
	struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIG_TICK};

	event._sigev_un._tid = gettid();
	sigaction(SIG_TICK, &tick, NULL);
	if (timer_create(CLOCK_MONOTONIC, &event, ret_timer) < 0)
		return false;
	timer_settime(*ret_timer, 0, &when, NULL);
	return true;
}

/* 0: a write may do something, if only fail. -ECANCELED, -ETIMEDOUT. */
static int wait_for_room(const struct patience *p, int fd, int64_t limit)
{
	for (;;) {
		struct pollfd fds[] = {{.fd = fd, .events = POLLOUT}, {.fd = p->give_up_fd, .events = POLLIN}};
		const int64_t left = p->ms < 0 ? -1 : limit - clock_ms();
		int n = poll(fds, 2, p->ms >= 0 && left < 0 ? 0 : (int)left);

		if (n < 0 && errno != EINTR)
			return -errno;
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
	timer_t timer;
	const bool ticking = (p->give_up_fd >= 0 || p->ms >= 0) && start_ticking(&timer);
	int64_t limit = clock_ms() + p->ms;
	const char *at = data;
	int r = 0;

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
	if (ticking)
		timer_delete(timer);
	return r;
}
