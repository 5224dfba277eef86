/* SPDX-License-Identifier: MIT */
#include "drive.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* Documentation/admin-guide/mm/pagemap.rst */
#define PAGEMAP_HELD  (3ull << 62) /* present, or swapped */
#define PAGEMAP_GUARD (1ull << 58) /* and neither: a guard's entry counts as swapped, too */
#define POLL_US       20
#define END_S         PATIENCE_S /* from what must end a run to its end */

static const struct target *running; /* fail() ends it */

double now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1e6 + t.tv_nsec / 1e3;
}

static void remove_socket(const struct target *t)
{
	unlink(t->path);
	rmdir(t->dir);
}

void fail(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	fprintf(stderr, "slice: ");
	vfprintf(stderr, fmt, args);
	fputc('\n', stderr);
	va_end(args);
	if (running) {
		char text[OUTPUT];
		ssize_t n;

		kill(running->pid, SIGKILL);
		waitpid(running->pid, NULL, 0);
		while ((n = read(running->out_fd, text, sizeof(text))) > 0 ||
		       (n = read(running->err_fd, text, sizeof(text))) > 0)
			fwrite(text, 1, n, stderr);
		remove_socket(running);
	}
	exit(1);
}

/* --- start and end --- */

static void exec_gnomon(const struct target *t, const struct job *job, int out, int err)
{
	char cpus[8];
	const char *args[16 + OPTIONS] = {"gnomon", "run",      "--paging", strcmp(job->paging, "both") == 0 ? "nested" : job->paging, "--cpus",
	                                  cpus,     "--memory", "64M",      "--control", t->path};
	int n = 10;

	snprintf(cpus, sizeof(cpus), "%u", job->cpus);
	for (int i = 0; job->options[i]; i++)
		args[n++] = job->options[i];
	args[n++] = job->guest;
	args[n++] = "--";
	args[n++] = "cpus";
	args[n++] = cpus;
	prctl(PR_SET_PDEATHSIG, SIGKILL); /* however the harness ends */
	dup2(out, STDOUT_FILENO);
	dup2(err, STDERR_FILENO);
	execv(job->gnomon, (char *const *)(uintptr_t)args);
	_exit(127);
}

static void wait_ready(const struct target *t)
{
	static const char ready[] = "ready\n";
	char text[sizeof(ready)] = "";
	struct pollfd p = {.fd = t->out_fd, .events = POLLIN};

	for (size_t n = 0; n < sizeof(ready) - 1; n++)
		if (poll(&p, 1, PATIENCE_S * 1000) != 1 || read(t->out_fd, text + n, 1) != 1 || text[n] != ready[n])
			fail("the guest does not start: \"%s\"", text);
}

/* Guest memory is the mapping that has the mailbox's magic at the right distance from a 2 MiB boundary. */
static uint64_t find_memory(const struct target *t)
{
	unsigned long long from, to;
	char path[64], line[512], rights[8];
	uint64_t found = 0, magic;
	FILE *maps;

	snprintf(path, sizeof(path), "/proc/%d/maps", t->pid);
	maps = fopen(path, "re");
	while (maps && !found && fgets(line, sizeof(line), maps)) {
		if (sscanf(line, "%llx-%llx %7s", &from, &to, rights) != 3 || rights[0] != 'r')
			continue;
		for (uint64_t at = (from + 0x1fffff) & ~0x1fffffull; at + SLICE_MEMORY <= to && !found; at += 0x200000)
			if (pread(t->mem_fd, &magic, sizeof(magic), at + MAILBOX(magic)) == sizeof(magic) &&
			    magic == SLICE_MAGIC)
				found = at;
	}
	if (maps)
		fclose(maps);
	if (!found)
		fail("guest memory is not found in process %d", t->pid);
	return found;
}

void target_start(struct target *t, const struct job *job)
{
	char path[64];
	int out[2], err[2];

	*t = (struct target){.dir = "/tmp/gnomon-slice-XXXXXX"};
	if (!mkdtemp(t->dir) || pipe2(out, O_CLOEXEC) < 0 || pipe2(err, O_CLOEXEC) < 0)
		fail("%s", strerror(errno));
	snprintf(t->path, sizeof(t->path), "%s/socket", t->dir);
	t->pid = fork();
	if (t->pid == 0)
		exec_gnomon(t, job, out[1], err[1]);
	close(out[1]);
	close(err[1]);
	t->out_fd = out[0];
	t->err_fd = err[0];
	running = t;
	wait_ready(t);
	snprintf(path, sizeof(path), "/proc/%d/mem", t->pid);
	t->mem_fd = open(path, O_RDWR | O_CLOEXEC);
	snprintf(path, sizeof(path), "/proc/%d/pagemap", t->pid);
	t->pagemap_fd = open(path, O_RDONLY | O_CLOEXEC);
	if (t->mem_fd < 0 || t->pagemap_fd < 0)
		fail("%s: %s", path, strerror(errno));
	t->host = find_memory(t);
	if (connection_open(&t->c, t->path, PATIENCE_S * 1000) < 0)
		fail("no control socket");
}

int target_end(struct target *t, char err[OUTPUT])
{
	struct pollfd p = {.fd = t->err_fd, .events = POLLIN};
	size_t len = 0;
	ssize_t n = 1;
	int status;

	while (len < OUTPUT - 1 && n > 0) {
		if (poll(&p, 1, END_S * 1000) != 1)
			fail("the run does not end");
		n = read(t->err_fd, err + len, OUTPUT - 1 - len);
		len += n > 0 ? n : 0;
	}
	err[len] = 0;
	waitpid(t->pid, &status, 0);
	running = NULL;
	connection_close(&t->c);
	close(t->out_fd);
	close(t->err_fd);
	close(t->mem_fd);
	close(t->pagemap_fd);
	remove_socket(t);
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

/* --- commands --- */

bool target_command(struct target *t, const char *command)
{
	json_t *args = NULL, *reply, *error;
	bool done;

	if (strcmp(command, "reclaim") == 0 || strcmp(command, "release") == 0)
		args = json_pack("{s:I, s:I}", "gpa", (json_int_t)SLICE_GPA, "size", (json_int_t)SLICE_BYTES);
	if (strcmp(command, "nested") == 0 || strcmp(command, "shadow") == 0) {
		args = json_pack("{s:s}", "mode", command);
		command = "set-paging";
	}
	if (connection_execute(&t->c, command, args, &reply) < 0)
		return false;
	error = json_object_get(reply, "error");
	if (error)
		fail("%s: %s", command, json_string_value(json_object_get(error, "desc")));
	done = json_object_get(reply, "return");
	json_decref(reply);
	return done;
}

struct reclaim_counts target_counts(struct target *t)
{
	struct reclaim_counts c;
	const struct {
		const char *name;
		uint64_t *value;
	} wanted[] = {
	    {"stage2_splits", &c.splits},
	    {"stage2_kept", &c.kept},
	    {"stage2_removed", &c.removed},
	    {"stage2_released", &c.released},
	    {"stage2_collapses", &c.collapses},
	    {"stage2_shootdowns", &c.shootdowns},
	    {"stage2_acks", &c.acks},
	    {"stage2_surrendered", &c.surrendered},
	    {"stage2_violations", &c.violations},
	};
	const size_t count = sizeof(wanted) / sizeof(*wanted);
	json_t *value, *list, *names = json_array(), *args;

	for (size_t i = 0; i < count; i++)
		json_array_append_new(names, json_string(wanted[i].name));
	args = json_pack("{s:s, s:[{s:s, s:o}]}", "target", "vm", "providers", "provider", "gnomon", "names", names);
	if (connection_ask(&t->c, "query-stats", args, &value) < 0)
		fail("no statistics");
	list = json_object_get(json_array_get(value, 0), "stats");
	if (json_array_size(list) != count)
		fail("counters are missing");
	for (size_t i = 0; i < count; i++) {
		const json_t *stat = json_array_get(list, i);
		const char *name = json_string_value(json_object_get(stat, "name"));

		for (size_t k = 0; k < count; k++)
			if (strcmp(name, wanted[k].name) == 0)
				*wanted[k].value = json_integer_value(json_object_get(stat, "value"));
	}
	json_decref(value);
	return c;
}

/* --- memory --- */

bool target_read(const struct target *t, uint64_t gpa, void *to, size_t len)
{
	return pread(t->mem_fd, to, len, t->host + gpa) == (ssize_t)len;
}

void target_write(const struct target *t, uint64_t gpa, const void *from, size_t len)
{
	if (pwrite(t->mem_fd, from, len, t->host + gpa) != (ssize_t)len)
		fail("guest memory at 0x%llx cannot be written", (unsigned long long)gpa);
}

uint64_t target_word(const struct target *t, uint64_t gpa)
{
	uint64_t value;

	if (!target_read(t, gpa, &value, sizeof(value)))
		fail("the run ended");
	return value;
}

void target_set(const struct target *t, uint64_t gpa, uint64_t value)
{
	target_write(t, gpa, &value, sizeof(value));
}

bool target_wait(const struct target *t, uint64_t gpa, uint64_t value)
{
	const double limit = now_us() + PATIENCE_S * 1e6;
	uint64_t now = target_word(t, gpa);

	for (; now < value && now_us() < limit; now = target_word(t, gpa))
		usleep(POLL_US);
	return now >= value;
}

int target_populated(const struct target *t)
{
	uint64_t entry[SLICE_LEN];
	int n = 0;

	if (pread(t->pagemap_fd, entry, sizeof(entry), (t->host + SLICE_GPA) / SLICE_PAGE * sizeof(*entry)) !=
	    sizeof(entry))
		return -1;
	for (int i = 0; i < SLICE_LEN; i++)
		n += (entry[i] & PAGEMAP_HELD) && !(entry[i] & PAGEMAP_GUARD);
	return n;
}
