/* SPDX-License-Identifier: MIT */
/*
 * The wall between the VMM's process and the monitor's. What is protected here: a process of the same user cannot look
 * into the monitor, nor can a VMM that is root by the calls that its filter refuses; and the monitor has nothing of the
 * VMM's open. Root is not kept out (docs/enclave.md): the last test shows what it can do.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "monitor/monitor.h"
#include "monitor/sandbox.h"

/* ---- ways in: 0, or what it was refused with ---- */

static char looked_at = 'a'; /* a fork has the same address */

static int by_reading(pid_t pid)
{
	char byte;
	const struct iovec to = {&byte, 1}, from = {&looked_at, 1};

	return process_vm_readv(pid, &to, 1, &from, 1, 0) < 0 ? errno : 0;
}

static int by_writing(pid_t pid)
{
	char byte = 'b';
	const struct iovec from = {&byte, 1}, to = {&looked_at, 1};

	return process_vm_writev(pid, &from, 1, &to, 1, 0) < 0 ? errno : 0;
}

static int by_its_file(pid_t pid)
{
	char name[64], byte;
	int fd, r;

	snprintf(name, sizeof(name), "/proc/%d/mem", (int)pid);
	fd = open(name, O_RDWR);
	if (fd < 0)
		return errno;
	r = pread(fd, &byte, 1, (off_t)(uintptr_t)&looked_at) == 1 ? 0 : errno;
	close(fd);
	return r;
}

static int by_descriptor(pid_t pid)
{
	const int of = (int)syscall(SYS_pidfd_open, pid, 0);
	const int fd = (int)syscall(SYS_pidfd_getfd, of, 2, 0);
	const int r = fd < 0 ? errno : 0;

	close(of);
	if (fd >= 0)
		close(fd);
	return r;
}

/* Not stopped: the monitor's watcher would take that for the end. Tracing ends with the tracer. */
static int by_tracing(pid_t pid)
{
	return ptrace(PTRACE_SEIZE, pid, NULL, NULL) < 0 ? errno : 0;
}

static const struct way {
	const char *name;
	int (*try)(pid_t pid);
} ways[] = {{"process_vm_readv", by_reading},
            {"process_vm_writev", by_writing},
            {"pidfd_getfd", by_descriptor},
            {"ptrace", by_tracing},
            {"/proc/PID/mem", by_its_file}};
#ifdef SANDBOX_LEAVES_PTRACE
#define LEFT (1u << 3)
#else
#define LEFT 0u
#endif
#define WAYS       5
#define CALLS_ONLY 4 /* those that are system calls of their own */

/* ---- a VMM of our own ---- */

/* The monitor's, and no other child's. */
static pid_t child_of(pid_t pid)
{
	char path[64], line[32] = "";
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)pid, (int)pid);
	f = fopen(path, "r");
	if (!f || !fgets(line, sizeof(line), f))
		line[0] = 0;
	if (f)
		fclose(f);
	return atoi(line);
}

static void give_up_capabilities(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	const struct __user_cap_data_struct none[2] = {0};

	if (syscall(SYS_capset, &header, none) < 0)
		_exit(99);
}

static bool may_trace_anyone(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct have[2] = {0};

	return syscall(SYS_capget, &header, have) == 0 && have[0].effective >> CAP_SYS_PTRACE & 1;
}

static void need_kvm(void)
{
	if (access("/dev/kvm", R_OK | W_OK) == 0)
		return;
	cr_assert_null(getenv("GNOMON_MUST_HAVE_KVM"), "no /dev/kvm");
	cr_skip("no usable /dev/kvm");
}

TestSuite(wall, .init = need_kvm, .timeout = 60);

/* The ways in that succeed, a bit each, for a process that did `before`, started a monitor, and did `after`. */
static unsigned ways_in(void (*before)(void), void (*after)(void), unsigned nr, int *ret_bad_errno)
{
	int fd[2], said[2] = {0};
	pid_t vmm;

	cr_assert_eq(pipe(fd), 0);
	vmm = fork();
	if (vmm == 0) {
		if (before)
			before();
		if (!monitor_start(
		        &(struct monitor_config){.kind = MONITOR_PROCESS, .memory = 1 << 20, .levels = 2, .slots = 1}))
			_exit(98);
		if (after)
			after();
		for (unsigned i = 0; i < nr; i++) {
			const int e = ways[i].try(child_of(getpid()));

			if (e == 0)
				said[0] |= 1 << i;
			else if (e != EPERM && e != EACCES)
				said[1] = e;
		}
		_exit(write(fd[1], said, sizeof(said)) == (ssize_t)sizeof(said) ? 0 : 97);
	}
	close(fd[1]);
	cr_assert_eq(read(fd[0], said, sizeof(said)), (ssize_t)sizeof(said), "the VMM ended early");
	close(fd[0]);
	waitpid(vmm, NULL, 0);
	*ret_bad_errno = said[1];
	return (unsigned)said[0];
}

/* As any user: not even its own. That it is the monitor which refuses shows a child that is none. */
Test(wall, without_capabilities)
{
	int bad, fd[2];
	unsigned in = ways_in(give_up_capabilities, NULL, WAYS, &bad);
	pid_t child;

	cr_expect_eq(in, 0, "ways %#x", in);
	cr_expect_eq(bad, 0, "errno %d", bad);
	cr_assert_eq(pipe(fd), 0);
	child = fork();
	if (child == 0) {
		close(fd[1]);
		_exit(read(fd[0], &looked_at, 1) < 0);
	}
	for (unsigned i = 0; i < WAYS; i++)
		cr_expect_eq(ways[i].try(child), 0, "%s: errno %d", ways[i].name, errno);
	close(fd[1]);
	waitpid(child, NULL, 0);
}

static void become_filtered(void)
{
	if (sandbox_vmm() < 0)
		_exit(96);
}

/* As root, too: but only the calls. The file system is not a matter of the filter. */
Test(wall, with_the_filter)
{
	int bad;
	const unsigned in = ways_in(NULL, become_filtered, CALLS_ONLY, &bad);

	cr_expect_eq(in, LEFT, "ways %#x", in);
	cr_expect_eq(bad, 0, "errno %d", bad);
}

/* The line of /proc/PID/status that begins with `name`. */
static int status_of(pid_t pid, const char *name)
{
	char path[64], line[256];
	int v = -1;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	f = fopen(path, "r");
	while (f && fgets(line, sizeof(line), f))
		if (strncmp(line, name, strlen(name)) == 0 && line[strlen(name)] == ':')
			v = atoi(line + strlen(name) + 1);
	if (f)
		fclose(f);
	return v;
}

static struct monitor *start(void)
{
	struct monitor *m = monitor_start(
	    &(struct monitor_config){.kind = MONITOR_PROCESS, .memory = 1 << 20, .levels = 2, .slots = 1});

	cr_assert(m);
	return m;
}

Test(wall, monitor_is_filtered)
{
	struct monitor *m = start();

	cr_expect_eq(status_of(child_of(getpid()), "Seccomp"), 2);
	monitor_stop(m);
}

/* A pipe that the VMM has at the time ends when the VMM closes it. */
Test(wall, monitor_keeps_no_descriptor)
{
	int fd[2];
	struct pollfd end;
	struct monitor *m;
	char byte;

	cr_assert_eq(pipe(fd), 0);
	m = start();
	close(fd[1]);
	end = (struct pollfd){.fd = fd[0], .events = POLLIN};
	cr_expect_eq(poll(&end, 1, 1000), 1, "the monitor has the pipe, too");
	if (end.revents)
		cr_expect_eq(read(fd[0], &byte, 1), 0);
	close(fd[0]);
	monitor_stop(m);
}

/* What is not kept out: root, with no filter, comes in by each of the ways; with it by the file, which is no call. */
Test(wall, root_comes_in)
{
	int bad;

	if (!may_trace_anyone())
		cr_skip("not root");
	cr_expect_eq(ways_in(NULL, NULL, WAYS, &bad), (1u << WAYS) - 1);
	cr_expect_eq(ways_in(NULL, become_filtered, WAYS, &bad), 1u << CALLS_ONLY | LEFT);
}
