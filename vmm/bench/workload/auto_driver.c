/* SPDX-License-Identifier: MIT */
/* Runs one guest and listens to its control socket. What fails is logged: it becomes the reason. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../guest/chase_core.h"
#include "base/process.h"
#include "bench/workload/auto.h"
#include "bench/workload/socket_guest.h"
#include "client/connection.h"

#define MAX_LINE 512

/* What came from the guest. */
struct heard {
	size_t n; /* changes of its mode: when, and to which */
	uint64_t at[AUTO_MAX_CHANGES], end;
	bool shadow[AUTO_MAX_CHANGES];
	char line[MAX_LINE];
	size_t len;
	uint64_t cpu_ns[AUTO_NR_PHASES + 1]; /* that it had used when the words before and behind each phase came */
	unsigned words;
};

static pid_t start_guest(const struct auto_drive *d, int out)
{
	const char *const argv[] = {process_self(), "run",   "--paging",  d->paging, "--backing", d->backing,
	                            "--memory",     "128M",  "--control", d->socket, d->image,    "--",
	                            "phases",       d->init, d->steady,   d->again,  NULL};

	return socket_guest_start(argv, out);
}

/* CPU time of all of the guest's threads so far, in ns. 0: it is not known. */
static uint64_t cpu_ns_of(pid_t guest)
{
	struct timespec t;
	clockid_t clock;

	if (clock_getcpuclockid(guest, &clock) != 0 || clock_gettime(clock, &t) < 0)
		return 0;
	return t.tv_sec * 1000000000ull + t.tv_nsec;
}

/* More of the guest's line, which it prints word by word. False: no more will come. */
static bool take_words(int out, pid_t guest, struct heard *h)
{
	const ssize_t n = read(out, h->line + h->len, sizeof(h->line) - h->len);
	const uint64_t cpu_ns = cpu_ns_of(guest);

	if (n <= 0)
		return n < 0 && errno == EINTR;
	for (ssize_t i = 0; i < n; i++)
		if ((h->len + i == 0 || h->line[h->len + i] == ' ') && h->words <= AUTO_NR_PHASES)
			h->cpu_ns[h->words++] = cpu_ns;
	h->len += n;
	return true;
}

/* The events that are there. -errno, logged. */
static int take_events(struct connection *c, struct heard *h)
{
	const uint64_t now = chase_tsc();
	json_t *event;
	int r;

	while ((r = connection_event(c, 1, &event)) == 0) {
		const char *const name = json_string_value(json_object_get(event, "event"));
		const char *const mode = json_string_value(json_object_get(json_object_get(event, "data"), "mode"));

		if (name && mode && strcmp(name, "PAGING_CHANGE") == 0 && h->n < AUTO_MAX_CHANGES) {
			h->at[h->n] = now;
			h->shadow[h->n++] = strcmp(mode, "shadow") == 0;
		}
		json_decref(event);
		if (c->shut_down)
			break;
	}
	return r == -ETIMEDOUT ? 0 : r;
}

/* Until the guest's end. -errno, logged. */
static int listen_to(struct connection *c, int out, pid_t guest, struct heard *h)
{
	struct pollfd fds[] = {{.fd = c->fd, .events = POLLIN}, {.fd = out, .events = POLLIN}};
	int r = 0;

	while (r == 0 && !c->shut_down) {
		if (poll(fds, 2, -1) < 0 && errno != EINTR)
			return log_errno(errno, "poll");
		if (fds[1].revents && !take_words(out, guest, h))
			fds[1].fd = -1;
		if (fds[0].revents)
			r = take_events(c, h);
		h->end = chase_tsc();
	}
	return r;
}

/* The guest's end. -EREMOTEIO, logged, unless it is a good one. */
static int reap(pid_t guest)
{
	int status;

	while (waitpid(guest, &status, 0) < 0)
		if (errno != EINTR)
			return log_errno(errno, "waitpid");
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	log_error("the guest ended with status %d", WIFEXITED(status) ? WEXITSTATUS(status) : -1);
	return -EREMOTEIO;
}

/* Not stdio: the parent's unwritten text is in this process's buffer, too. */
static int pass_on(const struct heard *h)
{
	if (write(STDOUT_FILENO, h->line, h->len) != (ssize_t)h->len)
		return log_errno(EIO, "the guest's line");
	dprintf(STDOUT_FILENO, "cpu");
	for (int p = 0; p < AUTO_NR_PHASES; p++)
		dprintf(STDOUT_FILENO, " %s=%llu", auto_phase_name[p],
		        (unsigned long long)(h->cpu_ns[p + 1] - h->cpu_ns[p]));
	dprintf(STDOUT_FILENO, "\n");
	for (size_t i = 0; i < h->n; i++)
		dprintf(STDOUT_FILENO, "change to=%s ago=%llu\n", h->shadow[i] ? "shadow" : "nested",
		        (unsigned long long)(h->end - h->at[i]));
	return 0;
}

int auto_drive(const void *drive)
{
	const struct auto_drive *d = drive;
	struct heard h = {0};
	struct connection c;
	int out[2], r;
	pid_t guest;

	if (pipe2(out, O_CLOEXEC) < 0)
		return log_errno(errno, "pipe") < 0;
	guest = start_guest(d, out[1]);
	close(out[1]);
	r = guest < 0 ? -1 : socket_guest_wait(guest, d->socket);
	if (r == 0)
		r = connection_open(&c, d->socket, SOCKET_ANSWER_MS);
	if (r == 0) {
		r = listen_to(&c, out[0], guest, &h);
		connection_close(&c);
	}
	/* What fails above leaves the guest to the end of this process, which takes it along (child_begin). */
	while (r == 0 && take_words(out[0], guest, &h))
		;
	if (r == 0)
		r = reap(guest);
	if (r == 0)
		r = pass_on(&h);
	return r < 0;
}
