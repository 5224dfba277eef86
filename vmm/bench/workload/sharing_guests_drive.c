/* SPDX-License-Identifier: MIT */
#include "bench/workload/sharing_guests.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/process.h"
#include "bench/child_parts.h"
#include "client/connection.h"

#define READY_MS 120000 /* for a guest to write its working set, or to read it */
#define SAVED_MS 300000
#define PAUSE_MS 100 /* between the two saves */
#define POLL_MS  5

/* Of the guests, by number, and of the snapshots. */
const char *const sharing_file_names[SHARING_FILES] = {"0", "1", "2", "3", "4", "5", "6", "7", "full", "since"};

const char *sharing_file(const struct sharing_drive *d, const char *name, char ret_path[SHARING_PATH])
{
	snprintf(ret_path, SHARING_PATH, "%s/%s", d->place.dir, name);
	return ret_path;
}

/* --- guests --- */

struct guest {
	pid_t pid;
	int out; /* what it printed: a file, so that nobody has to read it; -1: somebody does */
	char socket[SHARING_PATH];
};

/* A new one, or one that goes on from `file`; `out` is its console, -1: a file. -errno, logged. */
static int start(const struct sharing_drive *d, unsigned i, const char *file, bool lazy, int out, struct guest *g)
{
	char memory[16], set[16], path[SHARING_PATH];
	const char *argv[20] = {process_self(), "run", "--paging", d->mode, "--control", g->socket};
	int n = 6;

	*g = (struct guest){.out = out < 0 ? memfd_create("console", MFD_CLOEXEC) : -1};
	if (out < 0 && g->out < 0)
		return log_errno(errno, "no file for a console");
	sharing_file(d, sharing_file_names[i], g->socket);
	snprintf(memory, sizeof(memory), "%uM", d->size.memory);
	snprintf(set, sizeof(set), "%u", d->size.set);
	if (file) {
		argv[n++] = "--restore";
		argv[n++] = sharing_file(d, file, path);
		if (lazy)
			argv[n++] = "--lazy";
	} else {
		const char *const words[] = {"--memory", memory, d->kernel, "--", "sweep", set};

		memcpy(argv + n, words, sizeof(words));
	}
	g->pid = socket_guest_start(argv, out < 0 ? g->out : out);
	return g->pid < 0 ? (int)g->pid : 0;
}

static void end(struct guest *g)
{
	if (g->pid > 0)
		child_kill(g->pid);
	if (g->out >= 0)
		close(g->out);
	unlink(g->socket);
	g->pid = 0;
	g->out = -1;
}

static unsigned count_lines(const char *text, ssize_t n)
{
	unsigned lines = 0;

	for (ssize_t i = 0; i < n; i++)
		lines += text[i] == '\n';
	return lines;
}

/* Until it has printed so many whole lines. -errno, logged. */
static int await(const struct guest *g, unsigned lines)
{
	const int64_t deadline = clock_ms() + READY_MS;
	char text[4096];
	off_t at = 0;

	for (unsigned seen = 0;;) {
		const ssize_t n = pread(g->out, text, sizeof(text), at);

		if (n > 0) {
			at += n;
			seen += count_lines(text, n);
			continue;
		}
		if (seen >= lines)
			return 0;
		if (waitid(P_PID, (id_t)g->pid, &(siginfo_t){0}, WEXITED | WNOHANG | WNOWAIT) < 0 ||
		    clock_ms() > deadline) {
			log_error("a guest did not get on with its work in time");
			return -ETIMEDOUT;
		}
		poll(NULL, 0, POLL_MS);
	}
}

/* --- what is done to them --- */

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

/* Into three values. */
static int save(const struct sharing_drive *d, struct connection *c, const char *file, const char *since, uint64_t *ret)
{
	const int64_t start_us = clock_us();
	char path[SHARING_PATH], base[SHARING_PATH];
	json_t *args = json_pack("{s:s, s:b}", "file", sharing_file(d, file, path), "track", true), *reply;
	int r;

	if (since)
		json_object_set_new(args, "since", json_string(sharing_file(d, since, base)));
	r = connection_ask(c, "snapshot-save", args, &reply);
	if (r < 0)
		return r;
	json_decref(reply);
	r = await_saved(c, &ret[1], &ret[2]);
	ret[0] = (uint64_t)(clock_us() - start_us);
	return r;
}

static int connect_to(const struct guest *g, struct connection *c)
{
	const int r = socket_guest_wait(g->pid, g->socket);

	return r < 0 ? r : connection_open(c, g->socket, SOCKET_ANSWER_MS);
}

/* A new guest that has written its working set, and a connection to it. -errno, logged; the guest is to be ended. */
static int start_written(const struct sharing_drive *d, struct guest *g, struct connection *c)
{
	int r = start(d, 0, NULL, false, -1, g);

	if (r == 0)
		r = await(g, 1);
	return r < 0 ? r : connect_to(g, c);
}

/* Reads a console until two lines have ended: when the first character came, and when that was. -errno, logged. */
static int take_times(int console, int64_t start_us, uint64_t *ret)
{
	struct pollfd p = {.fd = console, .events = POLLIN};
	char text[4096];

	for (unsigned lines = 0; lines < 2;) {
		const ssize_t n = poll(&p, 1, READY_MS) == 1 ? read(console, text, sizeof(text)) : -1;

		if (n <= 0) {
			log_error("a restored guest did not get on with its work in time");
			return -ETIMEDOUT;
		}
		if (!ret[0])
			ret[0] = (uint64_t)(clock_us() - start_us);
		lines += count_lines(text, n);
	}
	ret[1] = (uint64_t)(clock_us() - start_us);
	return 0;
}

/* From exec to the first character, and to the end of the first whole round. */
static int restore(const struct sharing_drive *d, bool lazy, uint64_t *ret)
{
	int console[2], r;
	int64_t start_us;
	struct guest g;

	if (pipe2(console, O_CLOEXEC) < 0)
		return log_errno(errno, "no pipe for a console");
	start_us = clock_us();
	r = start(d, 1, "since", lazy, console[1], &g);
	close(console[1]);
	if (r == 0)
		r = take_times(console[0], start_us, ret);
	close(console[0]);
	end(&g);
	return r;
}

static int drive_snapshot(const struct sharing_drive *d)
{
	uint64_t value[SHARING_VALUES] = {0};
	struct connection c;
	struct guest g;
	int r = start_written(d, &g, &c);

	if (r == 0) {
		r = save(d, &c, "full", NULL, &value[SNAPSHOT_FULL]);
		poll(NULL, 0, PAUSE_MS);
		if (r == 0)
			r = save(d, &c, "since", "full", &value[SNAPSHOT_SINCE]);
		connection_close(&c);
	}
	end(&g);
	if (r == 0)
		r = restore(d, false, &value[RESTORE_FIRST]);
	if (r == 0)
		r = restore(d, true, &value[RESTORE_LAZY_FIRST]);
	if (r == 0)
		sharing_guests_print(d->what, value);
	return r < 0;
}

/* A process's part of the host's memory, in KiB: its PSS. */
static uint64_t memory_of(pid_t pid)
{
	char path[64], line[256];
	uint64_t kib = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", (int)pid);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f))
		if (strncmp(line, "Pss:", 4) == 0)
			kib = strtoull(line + 4, NULL, 10);
	if (f)
		fclose(f);
	return kib;
}

static uint64_t memory_of_all(const struct guest *g, unsigned n)
{
	uint64_t kib = 0;

	for (unsigned i = 0; i < n; i++)
		kib += memory_of(g[i].pid);
	return kib;
}

static int stop(const struct guest *g)
{
	struct connection c;
	json_t *reply;
	int r = connect_to(g, &c);

	if (r < 0)
		return r;
	r = connection_ask(&c, "stop", NULL, &reply);
	if (r == 0)
		json_decref(reply);
	connection_close(&c);
	return r;
}

/* Runs `gnomon dedup` on all. -errno, logged. */
static int dedup(const struct guest *g, unsigned n)
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
	uint64_t value[3];
	struct connection c;
	struct guest g;
	int r = start_written(d, &g, &c);

	if (r == 0) {
		r = save(d, &c, "full", NULL, value);
		connection_close(&c);
	}
	end(&g);
	return r;
}

static int drive_guests(const struct sharing_drive *d)
{
	const unsigned n = d->size.guests;
	const bool lazy = d->what == SHARING_LAZY;
	uint64_t value[SHARING_VALUES] = {0};
	struct guest g[SHARING_MAX_GUESTS];
	unsigned started = 0;
	int r = lazy ? make_file(d) : 0;
	int64_t start_us = clock_us();

	for (; r == 0 && started < n; started++) {
		r = start(d, started, lazy ? "full" : NULL, lazy, -1, &g[started]);
		if (r < 0 || !lazy || started)
			continue;
		/* As long as nobody else maps the file, all of it counts. */
		r = await(&g[0], 2);
		value[GUESTS_ALONE] = n * memory_of(g[0].pid);
	}
	for (unsigned i = 0; r == 0 && i < n; i++)
		r = await(&g[i], 2);
	if (lazy)
		value[GUESTS_TIME] = (uint64_t)(clock_us() - start_us);
	for (unsigned i = 0; r == 0 && i < n; i++)
		r = stop(&g[i]);
	if (r == 0 && !lazy) {
		value[GUESTS_ALONE] = memory_of_all(g, started);
		start_us = clock_us();
		r = dedup(g, n);
		value[GUESTS_TIME] = (uint64_t)(clock_us() - start_us);
	}
	value[GUESTS_TOGETHER] = memory_of_all(g, started);
	while (started)
		end(&g[--started]);
	if (r == 0)
		sharing_guests_print(d->what, value);
	return r < 0;
}

int sharing_guests_drive(const void *drive)
{
	const struct sharing_drive *d = drive;

	return d->what == SHARING_SNAPSHOT ? drive_snapshot(d) : drive_guests(d);
}
