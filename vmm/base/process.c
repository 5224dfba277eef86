/* SPDX-License-Identifier: MIT */
#include "base/process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/auxv.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

/* Lost output is told by the errno of the write. */
static const int write_signals[] = {SIGPIPE, SIGXFSZ};

#define STACK_WANTED (8u << 20)
#define STACK_NEEDED (1u << 20) /* results with 2040 levels take more than half of it in compare */

#define NR(array) (sizeof(array) / sizeof(*(array)))

/* In ascending order, so that each gets the number of the one that is closed. */
static void fill_descriptors(void)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
		if (fcntl(fd, F_GETFD) >= 0)
			continue;
		if (open("/dev/null", fd == STDIN_FILENO ? O_RDONLY : O_WRONLY) < 0)
			(void)!open("/", O_PATH); /* no /dev: the number is taken, and each write fails */
	}
}

void process_prepare(void)
{
	sigset_t none;

	fill_descriptors();
	for (size_t i = 0; i < NR(write_signals); i++)
		signal(write_signals[i], SIG_IGN);
	signal(SIGCHLD, SIG_DFL);
	signal(SIGTERM, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

int process_enlarge_stack(void)
{
	struct rlimit now, more;

	if (getrlimit(RLIMIT_STACK, &now) < 0 || now.rlim_cur >= STACK_WANTED)
		return 0;
	more = now;
	more.rlim_cur = now.rlim_max < STACK_WANTED ? now.rlim_max : STACK_WANTED;
	if (setrlimit(RLIMIT_STACK, &more) < 0)
		more = now;
	if (more.rlim_cur >= STACK_NEEDED)
		return 0;
	log_error("the stack may have %llu KiB, and %u are needed (see `ulimit -s`)",
	          (unsigned long long)more.rlim_cur >> 10, STACK_NEEDED >> 10);
	return -ENOMEM;
}

void process_prepare_child(void)
{
	sigset_t none;

	for (size_t i = 0; i < NR(write_signals); i++)
		signal(write_signals[i], SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

int process_catch_end(void)
{
	static const int ends[] = {SIGINT, SIGTERM, SIGHUP};
	sigset_t set;
	int fd;

	sigemptyset(&set);
	for (size_t i = 0; i < NR(ends); i++) {
		struct sigaction now;

		/* Blocked, it would reach the signalfd in spite of being ignored. */
		if (sigaction(ends[i], NULL, &now) == 0 && now.sa_handler != SIG_IGN)
			sigaddset(&set, ends[i]);
	}
	sigprocmask(SIG_BLOCK, &set, NULL);
	fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return fd < 0 ? log_errno(errno, "signalfd") : fd;
}

void process_hold_signals(sigset_t *ret_before)
{
	sigset_t all;

	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, ret_before);
}

void process_let_signals(const sigset_t *before)
{
	pthread_sigmask(SIG_SETMASK, before, NULL);
}

#define PROC_SELF "/proc/self/exe"

const char *process_self(void)
{
	/* The first stays right when the file is replaced. */
	return access(PROC_SELF, X_OK) == 0 ? PROC_SELF : (const char *)getauxval(AT_EXECFN);
}

int process_program(char ret_path[PATH_MAX])
{
	const ssize_t n = readlink(PROC_SELF, ret_path, PATH_MAX - 1);

	if (n < 0)
		return realpath((const char *)getauxval(AT_EXECFN), ret_path) ? 0 : -errno;
	ret_path[n] = 0;
	return 0;
}
