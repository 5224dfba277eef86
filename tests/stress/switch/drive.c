/* SPDX-License-Identifier: MIT */
/*
 * Changes the paging mode of a running guest at random moments, and expects the guest not to notice.
 *
 *   switch-drive GNOMON CPUS CHANGES SEED PLAN IMAGE [OPTION...] [-- WORD...]
 *
 *   PLAN end    a guest that ends by itself: its output and its status are those of a run that stays in nested mode. It
 *               runs again until CHANGES
 *   PLAN hold   one that checks its memory for ever, while the balloon goes to half and back
 *
 * A change may be refused while a vCPU has an instruction half done or is at a device, for nothing else.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "client/connection.h"

#define ARGS          48
#define OUTPUT        (1 << 18)
#define PATIENCE_MS   3000000 /* protection against hangs, no statement about speed */
#define GAP_US        3000    /* between two changes, at most */
#define BALLOON_EVERY 20      /* changes */
#define MOST_IN_VAIN  100     /* guests in a row that were done before they could be changed */

struct job {
	char *gnomon, *cpus;
	const char *plan;
	unsigned changes;
	char *const *image; /* image, options and words, ended by NULL */
};

struct target {
	pid_t pid;
	char dir[32], path[48];
	FILE *out, *err;
	struct connection c;
};

static pid_t running;

__attribute__((noreturn, format(printf, 1, 2))) static void fail(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	fprintf(stderr, "switch-drive: ");
	vfprintf(stderr, fmt, args);
	fputc('\n', stderr);
	va_end(args);
	if (running > 0)
		kill(running, SIGKILL);
	exit(1);
}

/* --- a run --- */

static void copy_in(char *to, FILE *from)
{
	size_t n;

	rewind(from);
	n = fread(to, 1, OUTPUT - 1, from);
	to[n] = 0;
}

static void start(struct target *t, const struct job *job)
{
	char *argv[ARGS] = {job->gnomon, "run", "--cpus", job->cpus, "--timeout", "3000"};
	char *const *image = job->image;
	int n = 6;

	strcpy(t->dir, "/tmp/switch-XXXXXX");
	t->out = tmpfile();
	t->err = tmpfile();
	if (!mkdtemp(t->dir) || !t->out || !t->err)
		fail("no temporary files");
	snprintf(t->path, sizeof(t->path), "%s/s", t->dir);
	argv[n++] = "--control";
	argv[n++] = t->path;
	for (char *const *o = image + 1; *o && strcmp(*o, "--") != 0; o++)
		argv[n++] = *o;
	argv[n++] = image[0];
	for (image++; *image && strcmp(*image, "--") != 0;)
		image++;
	for (; *image && n < ARGS - 1; image++)
		argv[n++] = *image;
	t->pid = running = fork();
	if (t->pid == 0) {
		dup2(fileno(t->out), STDOUT_FILENO);
		dup2(fileno(t->err), STDERR_FILENO);
		execv(job->gnomon, argv);
		_exit(127);
	}
}

/* False: it has ended, which end() tells of. */
static bool connect_to(struct target *t)
{
	const struct timespec pause = {.tv_nsec = 1000000};
	siginfo_t info = {0};
	struct stat st;

	/* The socket is there a moment before it listens. */
	while (stat(t->path, &st) < 0 || connection_open(&t->c, t->path, PATIENCE_MS) < 0) {
		if (waitid(P_PID, (id_t)t->pid, &info, WEXITED | WNOHANG | WNOWAIT) < 0 || info.si_pid)
			return false;
		nanosleep(&pause, NULL);
	}
	return true;
}

/* The exit status; what was said goes to the buffers. */
static int end(struct target *t, char out[OUTPUT], char err[OUTPUT])
{
	int status;

	if (waitpid(t->pid, &status, 0) < 0)
		fail("waitpid");
	running = 0;
	copy_in(out, t->out);
	copy_in(err, t->err);
	fclose(t->out);
	fclose(t->err);
	unlink(t->path);
	rmdir(t->dir);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* --- changes --- */

struct count {
	unsigned changed, refused;
	bool shadow;
};

/* False: the run has ended. */
static bool change(struct target *t, struct count *n)
{
	json_t *reply;
	const char *desc;
	int r = connection_execute(&t->c, "set-paging", json_pack("{s:s}", "mode", n->shadow ? "nested" : "shadow"), &reply);

	if (r < 0)
		return false;
	desc = json_string_value(json_object_get(json_object_get(reply, "error"), "desc"));
	if (!desc) {
		n->changed++;
		n->shadow = !n->shadow;
	} else if (strstr(desc, "half done") || strstr(desc, "held up by a device")) {
		n->refused++;
	} else {
		fail("set-paging: %s", desc);
	}
	json_decref(reply);
	return true;
}

static bool set_balloon(struct target *t, uint64_t mib)
{
	json_t *reply;

	if (connection_execute(&t->c, "balloon", json_pack("{s:I}", "value", (json_int_t)(mib << 20)), &reply) < 0)
		return false;
	json_decref(reply); /* refused before the guest's driver is there */
	return true;
}

static void wait_a_little(void)
{
	const struct timespec gap = {.tv_nsec = (random() % GAP_US) * 1000};

	nanosleep(&gap, NULL);
}

/* --- plans --- */

static void plan_end(const struct job *job)
{
	static char out[OUTPUT], err[OUTPUT], want_out[OUTPUT], want_err[OUTPUT];
	unsigned in_vain = 0;
	struct count n = {0};
	struct target t;
	int want, status;

	start(&t, job);
	want = end(&t, want_out, want_err);
	for (unsigned runs = 0; n.changed < job->changes; runs++) {
		const unsigned before = n.changed;

		start(&t, job);
		n.shadow = false;
		if (connect_to(&t)) {
			while (change(&t, &n))
				wait_a_little();
			connection_close(&t.c);
		}
		status = end(&t, out, err);
		if (status != want || strcmp(out, want_out) != 0 || strcmp(err, want_err) != 0)
			fail("run %u, after %u changes: status %d instead of %d; it says:\n%s%s", runs,
			     n.changed - before, status, want, out, err);
		in_vain = n.changed == before ? in_vain + 1 : 0;
		if (in_vain == MOST_IN_VAIN)
			fail("each guest ended before any change");
	}
	printf("changes=%u refused=%u\n", n.changed, n.refused);
}

static void plan_hold(const struct job *job)
{
	static char out[OUTPUT], err[OUTPUT];
	struct count n = {0};
	struct target t;
	json_t *reply;
	int status;

	start(&t, job);
	if (!connect_to(&t))
		fail("status %d; it says:\n%s%s", end(&t, out, err), out, err);
	while (n.changed < job->changes) {
		if (n.changed % BALLOON_EVERY == 0 && !set_balloon(&t, n.changed / BALLOON_EVERY % 2 ? 64 : 128))
			break;
		if (!change(&t, &n))
			break;
		wait_a_little();
	}
	if (connection_execute(&t.c, "quit", NULL, &reply) == 0)
		json_decref(reply);
	connection_close(&t.c);
	status = end(&t, out, err);
	if (status != 0 || n.changed < job->changes || strstr(out, "damaged"))
		fail("after %u changes: status %d; it says:\n%s%s", n.changed, status, out, err);
	printf("changes=%u refused=%u\n", n.changed, n.refused);
}

int main(int argc, char **argv)
{
	struct job job;

	if (argc < 7 || argc > ARGS - 10) {
		fprintf(stderr, "usage: switch-drive GNOMON CPUS CHANGES SEED end|hold IMAGE [OPTION...] [-- WORD...]\n");
		return 2;
	}
	job = (struct job){.gnomon = argv[1], .cpus = argv[2], .changes = atoi(argv[3]), .plan = argv[5], .image = argv + 6};
	srandom(atoi(argv[4]));
	if (strcmp(job.plan, "hold") == 0)
		plan_hold(&job);
	else
		plan_end(&job);
	return 0;
}
