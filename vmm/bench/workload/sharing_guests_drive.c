/* SPDX-License-Identifier: MIT */
#include "bench/workload/sharing_guests_run.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/process.h"

#define SAVED_MS 300000
#define PAUSE_MS 100 /* between the two saves */
#define SAVE_VALUES 5

/* Until the save has ended: its event. -errno, logged. */
static int await_saved(struct connection *c, uint64_t *ret_pause_us, uint64_t *ret_bytes)
{
	for (;;) {
		json_t *event;
		const json_t *data;
		const char *name;
		int r = connection_event(c, SAVED_MS, &event);

		if (r < 0)
			return log_errno(-r, "the end of a snapshot was not told");
		name = json_string_value(json_object_get(event, "event"));
		data = json_object_get(event, "data");
		if (name && strcmp(name, "SNAPSHOT_END") == 0) {
			const char *error = json_string_value(json_object_get(data, "error"));

			*ret_pause_us = (uint64_t)json_integer_value(json_object_get(data, "pause-us"));
			*ret_bytes = (uint64_t)json_integer_value(json_object_get(data, "bytes"));
			if (error)
				log_error("a snapshot failed: %s", error);
			json_decref(event);
			return error ? -EIO : 0;
		}
		json_decref(event);
	}
}

/* Time, pause, bytes, exits, shadow events. */
static int save(const struct sharing_drive *d, struct connection *c, const char *file, const char *since,
                uint64_t ret[SAVE_VALUES])
{
	char path[SHARING_PATH], base[SHARING_PATH];
	struct counts before;
	int64_t start_us;
	json_t *args = json_pack("{s:s, s:b}", "file", sharing_file(d, file, path), "track", true), *reply;
	int r;

	if (since)
		json_object_set_new(args, "since", json_string(sharing_file(d, since, base)));
	r = counts_ask(c, &before);
	start_us = clock_us();
	if (r < 0)
		json_decref(args);
	else
		r = connection_ask(c, "snapshot-save", args, &reply);
	if (r < 0)
		return r;
	json_decref(reply);
	r = await_saved(c, &ret[1], &ret[2]);
	ret[0] = (uint64_t)(clock_us() - start_us);
	return r < 0 ? r : sharing_count_since(c, &before, &ret[3]);
}

/* A new guest that has written its working set, and a connection to it. -errno, logged; the guest is to be ended. */
static int start_written(const struct sharing_drive *d, struct sharing_guest *g, struct connection *c)
{
	int r = sharing_guest_start(d, 0, NULL, false, -1, g);

	if (r == 0)
		r = sharing_guest_await(g, 1);
	return r < 0 ? r : sharing_guest_connect(g, c);
}

/* Reads a console until two lines have ended: when the first character came, and when that was. -errno, logged. */
static int take_times(int console, int64_t start_us, uint64_t *ret)
{
	struct pollfd p = {.fd = console, .events = POLLIN};
	char text[4096];

	for (unsigned lines = 0; lines < 2;) {
		const ssize_t n = poll(&p, 1, SHARING_READY_MS) == 1 ? read(console, text, sizeof(text)) : -1;

		if (n <= 0) {
			log_error("a restored guest did not get on with its work in time");
			return -ETIMEDOUT;
		}
		if (!ret[0])
			ret[0] = (uint64_t)(clock_us() - start_us);
		lines += sharing_count_lines(text, n);
	}
	ret[1] = (uint64_t)(clock_us() - start_us);
	return 0;
}

/* From exec to the first character, and to the end of the first whole round; and what was counted until then. */
static int restore(const struct sharing_drive *d, bool lazy, uint64_t *ret)
{
	int console[2], r;
	int64_t start_us;
	struct sharing_guest g;

	if (pipe2(console, O_CLOEXEC) < 0)
		return log_errno(errno, "no pipe for a console");
	start_us = clock_us();
	r = sharing_guest_start(d, 1, "since", lazy, console[1], &g);
	close(console[1]);
	if (r == 0)
		r = take_times(console[0], start_us, ret);
	if (r == 0)
		r = sharing_guest_add_counts(&g, &ret[2]);
	close(console[0]);
	sharing_guest_end(&g);
	return r;
}

static int drive_snapshot(const struct sharing_drive *d)
{
	uint64_t value[SHARING_VALUES] = {0};
	struct connection c;
	struct sharing_guest g;
	int r = start_written(d, &g, &c);

	if (r == 0) {
		r = save(d, &c, "full", NULL, &value[SNAPSHOT_FULL]);
		poll(NULL, 0, PAUSE_MS);
		if (r == 0)
			r = save(d, &c, "since", "full", &value[SNAPSHOT_SINCE]);
		connection_close(&c);
	}
	sharing_guest_end(&g);
	if (r == 0)
		r = restore(d, false, &value[RESTORE_FIRST]);
	if (r == 0)
		r = restore(d, true, &value[RESTORE_LAZY_FIRST]);
	if (r == 0)
		sharing_guests_print(d->what, value);
	return r < 0;
}

/* Runs `gnomon dedup` on all. -errno, logged. */
static int dedup(const struct sharing_guest *g, unsigned n)
{
	const char *argv[SHARING_MAX_GUESTS + 3] = {process_self(), "dedup"};
	int status;
	pid_t pid;

	for (unsigned i = 0; i < n; i++)
		argv[2 + i] = g[i].socket;
	pid = socket_guest_start(argv, -1);
	if (pid < 0)
		return (int)pid;
	if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status) || WEXITSTATUS(status)) {
		log_error("gnomon dedup failed");
		return -EIO;
	}
	return 0;
}

/* A file to go on from. */
static int make_file(const struct sharing_drive *d)
{
	uint64_t value[SAVE_VALUES];
	struct connection c;
	struct sharing_guest g;
	int r = start_written(d, &g, &c);

	if (r == 0) {
		r = save(d, &c, "full", NULL, value);
		connection_close(&c);
	}
	sharing_guest_end(&g);
	return r;
}

static int drive_guests(const struct sharing_drive *d)
{
	const unsigned n = d->size.guests;
	const bool lazy = d->what == SHARING_LAZY;
	uint64_t value[SHARING_VALUES] = {0};
	struct sharing_guest g[SHARING_MAX_GUESTS];
	unsigned started = 0;
	int r = lazy ? make_file(d) : 0;
	int64_t start_us = clock_us();

	for (; r == 0 && started < n; started++) {
		r = sharing_guest_start(d, started, lazy ? "full" : NULL, lazy, -1, &g[started]);
		if (r < 0 || !lazy || started)
			continue;
		/* As long as nobody else maps the file, all of it counts. */
		r = sharing_guest_await(&g[0], 2);
		value[GUESTS_ALONE] = n * sharing_guests_memory(g, 1);
	}
	for (unsigned i = 0; r == 0 && i < n; i++)
		r = sharing_guest_await(&g[i], 2);
	if (lazy)
		value[GUESTS_TIME] = (uint64_t)(clock_us() - start_us);
	for (unsigned i = 0; r == 0 && i < n; i++)
		r = sharing_guest_stop(&g[i]);
	for (unsigned i = 0; r == 0 && i < n; i++)
		r = sharing_guest_add_counts(&g[i], &value[GUESTS_EXITS]);
	if (r == 0 && !lazy) {
		value[GUESTS_ALONE] = sharing_guests_memory(g, started);
		start_us = clock_us();
		r = dedup(g, n);
		value[GUESTS_TIME] = (uint64_t)(clock_us() - start_us);
	}
	value[GUESTS_TOGETHER] = sharing_guests_memory(g, started);
	while (started)
		sharing_guest_end(&g[--started]);
	if (r == 0)
		sharing_guests_print(d->what, value);
	return r < 0;
}

int sharing_guests_drive(const void *drive)
{
	const struct sharing_drive *d = drive;

	return d->what == SHARING_SNAPSHOT ? drive_snapshot(d) : drive_guests(d);
}
