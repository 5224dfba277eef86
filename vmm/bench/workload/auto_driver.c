/* SPDX-License-Identifier: MIT */
/* Runs one guest and listens to its control socket. What fails is logged: it becomes the reason. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../guest/chase_core.h"
#include "base/process.h"
#include "bench/workload/auto.h"
#include "bench/workload/socket_guest.h"
#include "client/connection.h"

#define MAX_LINE 512

/* When the mode changed, and to which. */
struct heard {
	size_t n;
	uint64_t at[AUTO_MAX_CHANGES], end;
	bool shadow[AUTO_MAX_CHANGES];
};

static pid_t start_guest(const struct auto_drive *d, int out)
{
	const char *const argv[] = {process_self(), "run",   "--paging",  d->paging, "--backing", d->backing,
	                            "--memory",     "128M",  "--control", d->socket, d->image,    "--",
	                            "phases",       d->init, d->steady,   d->again,  NULL};

	return socket_guest_start(argv, out);
}

/* Until the guest's end. -errno, logged. */
static int listen_to(struct connection *c, struct heard *ret)
{
	while (!c->shut_down) {
		json_t *event;
		const char *name, *mode;
		uint64_t now;
		const int r = connection_event(c, -1, &event);

		if (r < 0)
			return r;
		now = chase_tsc();
		name = json_string_value(json_object_get(event, "event"));
		mode = json_string_value(json_object_get(json_object_get(event, "data"), "mode"));
		if (name && mode && strcmp(name, "PAGING_CHANGE") == 0 && ret->n < AUTO_MAX_CHANGES) {
			ret->at[ret->n] = now;
			ret->shadow[ret->n++] = strcmp(mode, "shadow") == 0;
		}
		ret->end = now;
		json_decref(event);
	}
	return 0;
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
static int pass_on(int out, const struct heard *h)
{
	char line[MAX_LINE];
	const ssize_t len = read(out, line, sizeof(line));

	if (len < 0 || write(STDOUT_FILENO, line, len) != len)
		return log_errno(errno ? errno : EIO, "the guest's line");
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
		r = listen_to(&c, &h);
		connection_close(&c);
	}
	/* What fails above leaves the guest to the end of this process, which takes it along (child_begin). */
	if (r == 0)
		r = reap(guest);
	if (r == 0)
		r = pass_on(out[0], &h);
	return r < 0;
}
