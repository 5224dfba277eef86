/* SPDX-License-Identifier: MIT */
#include "bench/workload/sharing_guests_run.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/process.h"
#include "bench/child_parts.h"

#define POLL_MS 5

/* Of the guests, by number, and of the snapshots. */
const char *const sharing_file_names[SHARING_FILES] = {"0", "1", "2", "3", "4", "5", "6", "7", "full", "since"};

const char *sharing_file(const struct sharing_drive *d, const char *name, char ret_path[SHARING_PATH])
{
	snprintf(ret_path, SHARING_PATH, "%s/%s", d->place.dir, name);
	return ret_path;
}

int sharing_guest_start(const struct sharing_drive *d, unsigned i, const char *file, bool lazy, int out,
                        struct sharing_guest *g)
{
	char memory[16], set[16], path[SHARING_PATH];
	const char *argv[20] = {process_self(), "run", "--paging", d->mode, "--control", g->socket};
	int n = 6;

	*g = (struct sharing_guest){.out = out < 0 ? memfd_create("console", MFD_CLOEXEC) : -1};
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

void sharing_guest_end(struct sharing_guest *g)
{
	if (g->pid > 0)
		child_kill(g->pid);
	if (g->out >= 0)
		close(g->out);
	unlink(g->socket);
	g->pid = 0;
	g->out = -1;
}

unsigned sharing_count_lines(const char *text, ssize_t n)
{
	unsigned lines = 0;

	for (ssize_t i = 0; i < n; i++)
		lines += text[i] == '\n';
	return lines;
}

int sharing_guest_await(const struct sharing_guest *g, unsigned lines)
{
	const int64_t deadline = clock_ms() + SHARING_READY_MS;
	char text[4096];
	off_t at = 0;

	for (unsigned seen = 0;;) {
		const ssize_t n = pread(g->out, text, sizeof(text), at);

		if (n > 0) {
			at += n;
			seen += sharing_count_lines(text, n);
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

int sharing_guest_connect(const struct sharing_guest *g, struct connection *c)
{
	const int r = socket_guest_wait(g->pid, g->socket);

	return r < 0 ? r : connection_open(c, g->socket, SOCKET_ANSWER_MS);
}

int sharing_count_since(struct connection *c, const struct counts *before, uint64_t *ret)
{
	struct counts now, counted;
	const int r = counts_ask(c, &now);

	if (r < 0)
		return r;
	counted = counts_between(before, &now);
	ret[0] = counted.exits;
	ret[1] = counted.shadow_events;
	return 0;
}

int sharing_guest_add_counts(const struct sharing_guest *g, uint64_t *values)
{
	const struct counts none = {0};
	struct connection c;
	uint64_t counted[2];
	int r = sharing_guest_connect(g, &c);

	if (r < 0)
		return r;
	r = sharing_count_since(&c, &none, counted);
	connection_close(&c);
	for (int i = 0; r == 0 && i < 2; i++)
		values[i] += counted[i];
	return r;
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

uint64_t sharing_guests_memory(const struct sharing_guest *g, unsigned n)
{
	uint64_t kib = 0;

	for (unsigned i = 0; i < n; i++)
		kib += memory_of(g[i].pid);
	return kib;
}

int sharing_guest_stop(const struct sharing_guest *g)
{
	struct connection c;
	json_t *reply;
	int r = sharing_guest_connect(g, &c);

	if (r < 0)
		return r;
	r = connection_ask(&c, "stop", NULL, &reply);
	if (r == 0)
		json_decref(reply);
	connection_close(&c);
	return r;
}
