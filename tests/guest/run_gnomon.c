/* SPDX-License-Identifier: MIT */
#include "run_gnomon.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../host_kind.h"

const char *build_path(const char *relative)
{
	static char path[4096];
	const char *dir = getenv("GNOMON_BUILD_DIR");

	snprintf(path, sizeof(path), "%s/%s", dir ? dir : ".", relative);
	return path;
}

const char *guest_path(const char *behaviour)
{
	static char path[4096];
	char relative[256];

	snprintf(relative, sizeof(relative), "tests/guest/%s.elf", behaviour);
	snprintf(path, sizeof(path), "%s", build_path(relative));
	cr_assert_eq(access(path, R_OK), 0, "%s is missing: run in the build directory", path);
	return path;
}

void need_kvm(void)
{
	const char *must = getenv("GNOMON_MUST_HAVE_KVM");
	int fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);

	if (fd >= 0)
		close(fd);
	else if (must && strcmp(must, "1") == 0)
		cr_assert_fail("no /dev/kvm (%s), and GNOMON_MUST_HAVE_KVM=1", strerror(errno));
	else
		cr_skip_test("no /dev/kvm");
}

bool kvm_keeps_shadow_tables(void)
{
	static const char *const files[] = {"/sys/module/kvm_amd/parameters/npt", "/sys/module/kvm_intel/parameters/ept"};
	char said = 'Y';

	for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++) {
		FILE *f = fopen(files[i], "r");

		if (!f)
			continue;
		cr_assert_eq(fread(&said, 1, 1, f), 1, "%s is empty", files[i]);
		fclose(f);
	}
	return on_pvm() || said == 'N' || said == '0';
}

/* --- limits --- */

#define LIMIT_SECONDS 120.0
#define SHORTEST_RUNS 5
#define SHORTEST_MS   10.0 /* more than the shortest run takes where nothing else does; milliseconds */

static double now_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* How many times as long as on a quiet machine something takes now, by what most runs consist of. */
static double slowness(void)
{
	const double start = now_s();
	char program[4096], image[4096];

	snprintf(program, sizeof(program), "%s", build_path("gnomon"));
	snprintf(image, sizeof(image), "%s", build_path("tests/guest/exit-status-0.elf"));
	for (int i = 0; i < SHORTEST_RUNS; i++) {
		const pid_t pid = fork();

		if (pid == 0) {
			alarm(10 * (unsigned)LIMIT_SECONDS); /* it, too, may hang */
			execl(program, "gnomon", "run", image, NULL);
			_exit(127);
		}
		waitpid(pid, NULL, 0);
	}
	return (now_s() - start) * 1e3 / SHORTEST_RUNS / SHORTEST_MS;
}

bool limit_over(struct limit *l)
{
	const double now = now_s();
	double factor;

	if (l->factor == 0)
		*l = (struct limit){.start = now, .factor = 1};
	if (now - l->start <= LIMIT_SECONDS * l->factor)
		return false;
	factor = slowness();
	if (factor > l->factor)
		l->factor = factor;
	return now - l->start > LIMIT_SECONDS * l->factor;
}

/* --- runs --- */

#define HANG_SECONDS 30 /* from here on a --timeout is a limit against hangs */
#define NO_LIMIT     "1000000"

/* The arguments without limits that count seconds; those of the clients are 10 s if they are not named. */
static void patient_args(const char *const *args, char *argv[RUN_ARGS])
{
	const bool is_client = args[0] && (strcmp(args[0], "ctl") == 0 || strcmp(args[0], "balloon") == 0);
	bool named = false;
	int n = 0;

	argv[n++] = strdup("gnomon");
	for (int i = 0; args[i] && n < RUN_ARGS - 3; i++) {
		const bool is_limit = i && strcmp(args[i - 1], "--timeout") == 0;

		named |= strcmp(args[i], "--timeout") == 0 || strcmp(args[i], "--help") == 0;
		argv[n++] = strdup(is_limit && atoi(args[i]) >= HANG_SECONDS ? NO_LIMIT : args[i]);
	}
	if (is_client && !named && n > 2) {
		memmove(argv + 4, argv + 2, (size_t)(n - 2) * sizeof(*argv));
		argv[2] = strdup("--timeout");
		argv[3] = strdup(NO_LIMIT);
		n += 2;
	}
	argv[n] = NULL;
}

static void exec_gnomon(const struct run *r, const char *const *args, int out, int err)
{
	int fd = open(build_path("gnomon"), O_RDONLY | O_CLOEXEC); /* opened before we may lose the right to */
	char *argv[RUN_ARGS + 2];

	patient_args(args, argv);
	setpgid(0, 0);
	dup2(out, STDOUT_FILENO);
	dup2(err, STDERR_FILENO);
	signal(SIGINT, SIG_DFL); /* ignored in a shell's background job, as the next is under nohup */
	signal(SIGHUP, SIG_DFL);
	if (r->surroundings)
		r->surroundings();
	if (fd < 0 || (r->uid && setuid(r->uid) < 0))
		_exit(255);
	prctl(PR_SET_PDEATHSIG, SIGKILL); /* a test that fails leaves no guest behind; setuid() forgets it */
	if (!r->uid)
		execve(build_path("gnomon"), argv, environ);
	fexecve(fd, argv, environ);
	_exit(255);
}

void run_start(struct run *r, const char *const *args)
{
	int out[2], err[2];

	cr_assert_eq(pipe2(out, O_CLOEXEC), 0);
	cr_assert_eq(pipe2(err, O_CLOEXEC), 0);
	r->pid = fork();
	cr_assert_geq(r->pid, 0);
	if (r->pid == 0)
		exec_gnomon(r, args, out[1], err[1]);
	setpgid(r->pid, r->pid); /* whichever of the two comes first */
	close(out[1]);
	close(err[1]);
	r->out_fd = out[0];
	r->err_fd = err[0];
	r->out_len = r->err_len = 0;
	r->out[0] = r->err[0] = 0;
}

/* False at the end of the stream. What does not fit is dropped. */
static bool take(int fd, char *text, size_t *len)
{
	char chunk[4096];
	ssize_t n = read(fd, chunk, sizeof(chunk));
	size_t room = RUN_OUTPUT - 1 - *len;

	if (n <= 0)
		return n < 0 && errno == EINTR;
	if ((size_t)n < room)
		room = n;
	memcpy(text + *len, chunk, room);
	*len += room;
	text[*len] = 0;
	return true;
}

/* Fails the test. A run that hangs may still tell what it counted. */
static void give_up(struct run *r, const char *what)
{
	const double end = now_s() + 10;
	struct pollfd p = {.fd = r->err_fd, .events = POLLIN};

	kill(-r->pid, SIGTERM);
	while (now_s() < end && poll(&p, 1, 1000) > 0 && take(r->err_fd, r->err, &r->err_len))
		;
	kill(-r->pid, SIGKILL);
	waitpid(r->pid, NULL, 0);
	/* Twice: of an assertion in a suite's .init Criterion shows no message. */
	fprintf(stderr, "%s\nstdout: %.2000s\nstderr: %.2000s\n", what, r->out, r->err);
	cr_assert_fail("%s\nstdout: %.2000s\nstderr: %.2000s", what, r->out, r->err);
}

/* Takes output until stdout holds `text`, or, without a text, until both streams end. False: they ended. */
static bool take_output(struct run *r, const char *text)
{
	struct pollfd fds[] = {{.fd = r->out_fd, .events = POLLIN}, {.fd = r->err_fd, .events = POLLIN}};
	struct limit limit = {0};

	while (!text || !strstr(r->out, text)) {
		if (fds[0].fd < 0 && fds[1].fd < 0)
			return false;
		if (poll(fds, 2, 1000) < 0 && errno != EINTR)
			give_up(r, strerror(errno));
		if (limit_over(&limit))
			give_up(r, "gnomon hangs");
		if (fds[0].revents && !take(r->out_fd, r->out, &r->out_len))
			fds[0].fd = -1;
		if (fds[1].revents && !take(r->err_fd, r->err, &r->err_len))
			fds[1].fd = -1;
	}
	return true;
}

void run_until(struct run *r, const char *text)
{
	if (!take_output(r, text))
		give_up(r, "gnomon ended before its guest said what was awaited");
}

/* The first process of the group, with its state, for a message. */
static const char *who_is_left(pid_t group)
{
	static char text[128];
	glob_t all;

	snprintf(text, sizeof(text), "nobody now");
	if (glob("/proc/[0-9]*/stat", 0, NULL, &all) != 0)
		return text;
	for (size_t i = 0; i < all.gl_pathc; i++) {
		FILE *f = fopen(all.gl_pathv[i], "re");
		char name[64], state;
		int pid, parent, pgrp;

		if (f && fscanf(f, "%d (%63[^)]) %c %d %d", &pid, name, &state, &parent, &pgrp) == 5 && pgrp == group)
			snprintf(text, sizeof(text), "%d (%s), state %c, of %d", pid, name, state, parent);
		if (f)
			fclose(f);
	}
	globfree(&all);
	return text;
}

/*
 * Who was killed with its parent is init's, and stays until that has looked: it is not there to stay. It is ours where this
 * process is a subreaper.
 */
static bool group_is_gone(pid_t group)
{
	for (struct limit limit = {0}; !limit_over(&limit); usleep(1000)) {
		(void)waitpid(-group, NULL, WNOHANG);
		if (kill(-group, 0) < 0)
			return errno == ESRCH;
	}
	return false;
}

void run_finish(struct run *r)
{
	struct limit limit = {0};
	int status;

	take_output(r, NULL);
	while (waitpid(r->pid, &status, WNOHANG) == 0) {
		if (limit_over(&limit))
			give_up(r, "gnomon closed its output and hangs");
		usleep(1000);
	}
	close(r->out_fd);
	close(r->err_fd);
	r->status = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
	cr_assert(group_is_gone(r->pid), "gnomon left a process behind: %s", who_is_left(r->pid));
	r->pid = 0;
}

void run_abandon(struct run *r)
{
	if (r->pid <= 0)
		return;
	kill(-r->pid, SIGKILL);
	waitpid(r->pid, NULL, 0);
	r->pid = 0;
}

void run_args(struct run *r, const char *const *args)
{
	run_start(r, args);
	run_finish(r);
}

void expect_status(const struct run *r, int status)
{
	cr_assert_eq(r->status, status, "status %d, not %d\nstdout: %.2000s\nstderr: %.2000s", r->status, status,
	             r->out, r->err);
	if (status <= 125)
		cr_assert_str_eq(r->err, "", "unasked for words on stderr");
}

void expect_refusal(const struct run *r, int status, const char *words)
{
	const char *end = strchr(r->err, '\n');

	cr_assert_eq(r->status, status, "status %d, not %d\nstderr: %.2000s", r->status, status, r->err);
	cr_assert_str_eq(r->out, "");
	cr_assert(end && end > r->err && !end[1], "not one line on stderr: %.2000s", r->err);
	cr_assert(strstr(r->err, words), "'%s' is not in: %s", words, r->err);
}

void expect_killed(const struct run *r, const char *words)
{
	static const char start[] = "gnomon: guest killed: ";
	const char *sentence = strstr(r->err, start), *end;

	cr_assert_eq(r->status, 126, "status %d, not 126\nstdout: %.2000s\nstderr: %.2000s", r->status, r->out, r->err);
	cr_assert(sentence, "no sentence: %.2000s", r->err);
	cr_assert_null(strstr(sentence + 1, start), "more than one sentence: %.2000s", r->err);
	end = strchr(sentence, '\n');
	cr_assert(memmem(sentence, end - sentence, words, strlen(words)), "'%s' is not in: %.2000s", words, r->err);
	cr_assert(strstr(end, "\n  rip "), "no registers: %.2000s", r->err);
	cr_assert(strstr(end, "\n  bytes at RIP:"), "no bytes at RIP: %.2000s", r->err);
}
