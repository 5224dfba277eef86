/* SPDX-License-Identifier: MIT */
/* Runs one guest and listens to its control socket. What fails is logged: it becomes the reason. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
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
	/* What it had used, and what was counted, when the words before and behind each phase came. */
	uint64_t cpu_ns[AUTO_NR_PHASES + 1];
	struct counts counts[AUTO_NR_PHASES + 1];
	unsigned words, counted; /* how many of them are known */
};

static pid_t start_guest(const struct auto_drive *d, const char *stats, int out)
{
	const char *const argv[] = {process_self(), "run",      "--paging", d->paging, "--backing",
	                            d->backing,     "--memory", "128M",     "--stats", stats,
	                            "--control",    d->socket,  d->image,   "--",      "phases",
	                            d->init,        d->steady,  d->again,   NULL};

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

/*
 * At each word but the last: the guest ends behind that, and leaves its counters to a file. -errno, logged. A guest that has
 * ended before it was asked is not counted.
 */
static int take_counts(struct connection *c, struct heard *h)
{
	int r = 0;

	for (; r == 0 && h->counted < h->words && h->counted < AUTO_NR_PHASES; h->counted += r == 0)
		r = counts_ask(c, &h->counts[h->counted]);
	return r == -ESHUTDOWN || r == -EPIPE ? 0 : r;
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
		r = take_counts(c, h);
		if (r == 0 && (fds[0].revents || json_array_size(c->events)))
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

static void pass_counts_on(const struct heard *h)
{
	struct counts of[AUTO_NR_PHASES];

	if (h->counted < AUTO_NR_PHASES) {
		dprintf(STDOUT_FILENO, "uncounted\n");
		return;
	}
	for (int p = 0; p < AUTO_NR_PHASES; p++)
		of[p] = counts_between(&h->counts[p], &h->counts[p + 1]);
	dprintf(STDOUT_FILENO, "exits");
	for (int p = 0; p < AUTO_NR_PHASES; p++)
		dprintf(STDOUT_FILENO, " %s=%" PRIu64, auto_phase_name[p], of[p].exits);
	dprintf(STDOUT_FILENO, "\nshadow-events");
	for (int p = 0; p < AUTO_NR_PHASES; p++)
		dprintf(STDOUT_FILENO, " %s=%" PRIu64, auto_phase_name[p], of[p].shadow_events);
	dprintf(STDOUT_FILENO, "\n");
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
	pass_counts_on(h);
	for (size_t i = 0; i < h->n; i++)
		dprintf(STDOUT_FILENO, "change to=%s ago=%llu\n", h->shadow[i] ? "shadow" : "nested",
		        (unsigned long long)(h->end - h->at[i]));
	return 0;
}

/* Into h->line, changes and counters. -errno, logged; the guest is to be reaped unless it is -ECHILD. */
static int hear(const struct auto_drive *d, pid_t guest, int out, struct heard *h)
{
	struct connection c;
	int r = socket_guest_wait(guest, d->socket);

	if (r == 0)
		r = connection_open(&c, d->socket, SOCKET_ANSWER_MS);
	if (r < 0)
		return r;
	r = listen_to(&c, out, guest, h);
	connection_close(&c);
	while (r == 0 && take_words(out, guest, h))
		;
	return r;
}

int auto_drive(const void *drive)
{
	const struct auto_drive *d = drive;
	struct heard h = {0};
	struct counts_file file;
	int out[2], r = counts_file_open(&file);
	pid_t guest;

	if (r < 0)
		return log_errno(-r, "no file for its statistics") < 0;
	if (pipe2(out, O_CLOEXEC) < 0)
		return log_errno(errno, "pipe") < 0;
	guest = start_guest(d, file.path, out[1]);
	close(out[1]);
	/* What fails leaves the guest to the end of this process, which takes it along (child_begin). */
	r = guest < 0 ? -1 : hear(d, guest, out[0], &h);
	if (r == 0)
		r = reap(guest);
	if (r == 0 && counts_file_read(&file, &h.counts[AUTO_NR_PHASES]) < 0)
		r = log_errno(EBADMSG, "the guest's statistics");
	if (r == 0)
		r = pass_on(&h);
	return r < 0;
}
