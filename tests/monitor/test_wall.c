/* SPDX-License-Identifier: MIT */
/*
 * The wall between the VMM's process and the monitor's. What is protected here: a process of the same user cannot look
 * into the monitor, nor can a VMM that is root, by calls or by files; the monitor has nothing of the VMM's open, no
 * files, and nothing of it is swapped out. Another process of root's is not kept out (docs/enclave.md): a test shows
 * what it can do.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/kvm.h>
#include <poll.h>
#include <seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "child.h"
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
#define WAYS      5
#define BY_PTRACE (1u << 3)
#define BY_FILE   (1u << 4)

/* What the filter leaves. Landlock leaves nothing of it. */
#ifdef SANDBOX_LEAVES_PTRACE
#define LEFT (BY_PTRACE | BY_FILE)
#else
#define LEFT BY_FILE
#endif

/* ---- a VMM of our own ---- */

static void give_up_capabilities(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	const struct __user_cap_data_struct none[2] = {0};

	if (syscall(SYS_capset, &header, none) < 0)
		_exit(99);
}

static bool has_capability(int capability)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct have[2] = {0};

	return syscall(SYS_capget, &header, have) == 0 && have[0].effective >> capability & 1;
}

static void need_kvm(void)
{
	if (access("/dev/kvm", R_OK | W_OK) == 0)
		return;
	cr_assert_null(getenv("GNOMON_MUST_HAVE_KVM"), "no /dev/kvm");
	cr_skip("no usable /dev/kvm");
}

TestSuite(wall, .init = need_kvm, .timeout = 60);

struct tried {
	unsigned in; /* the ways that succeed, a bit each */
	int bad;     /* an errno that is no refusal */
};

static struct tried try_all(pid_t pid)
{
	struct tried t = {0};

	for (unsigned i = 0; i < WAYS; i++) {
		const int e = ways[i].try(pid);

		if (e == 0)
			t.in |= 1 << i;
		else if (e != EPERM && e != EACCES)
			t.bad = e;
	}
	return t;
}

static pid_t fork_idle(void)
{
	const pid_t pid = fork();

	if (pid == 0)
		for (;;)
			pause();
	return pid;
}

/*
 * For a process that did `before` and started a monitor. *ret_child: the same for a child that it has behind the wall,
 * which is in its domain.
 */
static struct tried ways_in(void (*before)(void), bool wall, struct tried *ret_child)
{
	const struct monitor_config config = {
	    .kind = MONITOR_PROCESS, .memory = 1 << 20, .levels = 2, .slots = 1, .wall = wall};
	struct tried said[2];
	int fd[2];
	pid_t vmm, child;

	cr_assert_eq(pipe(fd), 0);
	vmm = fork();
	if (vmm == 0) {
		if (before)
			before();
		if (!monitor_start(&config))
			_exit(98);
		said[0] = try_all(child_of(getpid()));
		child = fork_idle();
		said[1] = try_all(child);
		kill(child, SIGKILL);
		_exit(write(fd[1], said, sizeof(said)) == (ssize_t)sizeof(said) ? 0 : 97);
	}
	close(fd[1]);
	cr_assert_eq(read(fd[0], said, sizeof(said)), (ssize_t)sizeof(said), "the VMM ended early");
	close(fd[0]);
	waitpid(vmm, NULL, 0);
	*ret_child = said[1];
	return said[0];
}

/* As any user: not even its own. That it is the monitor which refuses shows a child that is none. */
Test(wall, without_capabilities)
{
	struct tried child;
	const struct tried t = ways_in(give_up_capabilities, false, &child);

	cr_expect_eq(t.in, 0, "ways %#x", t.in);
	cr_expect_eq(t.bad, 0, "errno %d", t.bad);
	cr_expect_eq(child.in, (1u << WAYS) - 1, "ways %#x", child.in);
}

static struct monitor *start(void)
{
	struct monitor *m = monitor_start(
	    &(struct monitor_config){.kind = MONITOR_PROCESS, .memory = 16 << 20, .levels = 2, .slots = 1});

	cr_assert(m);
	return m;
}

Test(wall, monitor_is_filtered)
{
	struct monitor *m = start();

	cr_expect_eq(status_of(child_of(getpid()), "Seccomp"), 2);
	monitor_stop(m);
}

/* How a process ends that has the monitor's filter and makes the call. */
static int end_of(long number, long a, long b, long c)
{
	int status = -1;
	const pid_t pid = fork();

	if (pid == 0) {
		if (sandbox_monitor() < 0)
			_exit(1);
		syscall(number, a < 0 ? getpid() : a, b, c);
		syscall(SYS_exit_group, 0); /* not _exit(): a sanitizer makes more calls there */
	}
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	return status;
}

static bool is_refused(int status)
{
	return WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS;
}

/* KVM and its own threads, and neither a terminal nor anybody else's. */
Test(wall, monitor_is_confined)
{
	static const char key = 'x';

	cr_expect_eq(end_of(SYS_ioctl, STDERR_FILENO, KVM_GET_API_VERSION, 0), 0);
	cr_expect(is_refused(end_of(SYS_ioctl, STDERR_FILENO, TIOCSTI, (long)&key)));
	cr_expect_eq(end_of(SYS_tgkill, -1, 1, 0), 0);
	cr_expect(is_refused(end_of(SYS_tgkill, getpid(), getpid(), 0)));
	cr_expect(is_refused(end_of(SYS_kill, getpid(), 0, 0)));
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
	cr_expect_eq(poll(&end, 1, 20000), 1, "the monitor has the pipe, too");
	if (end.revents)
		cr_expect_eq(read(fd[0], &byte, 1), 0);
	close(fd[0]);
	monitor_stop(m);
}

/* Nor can it open one, whatever its filter lets through. */
Test(wall, monitor_has_no_files)
{
	pid_t pid;
	int status;

	if (!sandbox_has_landlock())
		cr_skip("this kernel has no Landlock");
	pid = fork();
	if (pid == 0) {
		if (sandbox_monitor_files() < 0)
			_exit(1);
		_exit(open("/dev/null", O_RDONLY) < 0 && errno == EACCES ? 0 : 2);
	}
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_expect_eq(status, 0);
}

/* Nor is it swapped out, where that is allowed: at least secure memory is locked. */
Test(wall, monitor_is_locked)
{
	struct monitor *m;

#ifdef SANDBOX_LEAVES_PTRACE
	cr_skip("the address sanitizer makes mlockall do nothing");
#endif
	m = start();
	cr_expect_eq(monitor_is_locked(m), status_of(child_of(getpid()), "VmLck") >= 1024);
	if (has_capability(CAP_IPC_LOCK))
		cr_expect(monitor_is_locked(m));
	monitor_stop(m);
}

static void ask(struct monitor *m, struct monitor_request q)
{
	struct monitor_reply reply;

	*monitor_request(m, 0) = q;
	cr_assert_eq(monitor_call(m, 0, &reply), 0);
	cr_assert_eq(reply.status, 0);
}

/* What an enclave had goes to the host when it is destroyed, locked or not. */
Test(wall, monitor_gives_memory_back)
{
	const uint64_t base = 0x10000000, pages = 16 * GNOMON_ENCLAVE_ADD_MAX;
	const int half = pages * MONITOR_PAGE / 1024 / 2; /* KiB; the kernel counts roughly */
	const struct gnomon_enclave_create create = {
	    .base = base, .size = pages * MONITOR_PAGE, .entry = base, .stack = base + MONITOR_PAGE};
	static uint8_t page[MONITOR_PAGE] __attribute__((aligned(MONITOR_PAGE)));
	struct monitor *m;
	int before, full;

	if (madvise(page, sizeof(page), MADV_DONTNEED_LOCKED) < 0)
		cr_skip("this kernel keeps locked memory");
	m = start();
	ask(m, (struct monitor_request){.op = MONITOR_CREATE, .id = 1, .create = create});
	before = status_of(child_of(getpid()), "RssAnon");
	for (uint64_t va = base; va < base + pages * MONITOR_PAGE; va += GNOMON_ENCLAVE_ADD_MAX * MONITOR_PAGE)
		ask(m, (struct monitor_request){
		           .op = MONITOR_ADD, .id = 1, .va = va, .rights = 3, .pages = GNOMON_ENCLAVE_ADD_MAX});
	full = status_of(child_of(getpid()), "RssAnon");
	cr_expect_geq(full - before, half);
	ask(m, (struct monitor_request){.op = MONITOR_DESTROY, .id = 1});
	cr_expect_geq(full - status_of(child_of(getpid()), "RssAnon"), half);
	monitor_stop(m);
}

/* In a process of its own, whose kernel has no seccomp. It ends with 0 if no monitor starts there. */
_Noreturn static void start_without_seccomp(int err)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ALLOW);

	if (!ctx || seccomp_rule_add(ctx, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(seccomp), 0) < 0 || seccomp_load(ctx) < 0 ||
	    dup2(err, 2) < 0)
		_exit(2);
	_exit(monitor_start(&(struct monitor_config){
	          .kind = MONITOR_PROCESS, .memory = 1 << 20, .levels = 2, .slots = 1, .wall = true})
	          ? 1
	          : 0);
}

/* Both processes need it. One sentence says so. */
Test(wall, without_seccomp)
{
	char text[1024] = "";
	int fd[2], status;
	ssize_t n;
	pid_t pid;

	cr_assert_eq(pipe(fd), 0);
	pid = fork();
	if (pid == 0)
		start_without_seccomp(fd[1]);
	close(fd[1]);
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_expect_eq(status, 0, "status %#x", status);
	n = read(fd[0], text, sizeof(text) - 1);
	cr_assert_gt(n, 0);
	cr_expect(strstr(text, "the enclave monitor needs seccomp filters"), "%s", text);
	cr_expect_eq(strchr(text, '\n'), text + n - 1, "more than one line: %s", text);
	close(fd[0]);
}

/* Without the wall, as another process of root's, it comes in by each way. */
Test(wall, another_of_roots)
{
	struct tried child;

	if (!has_capability(CAP_SYS_PTRACE))
		cr_skip("not root");
	cr_expect_eq(ways_in(NULL, false, &child).in, (1u << WAYS) - 1);
}

/* Behind it root is refused as anybody: by Landlock, and all that is a call by the filter, too. */
Test(wall, root)
{
	struct tried t, child;

	if (!has_capability(CAP_SYS_PTRACE))
		cr_skip("not root");
	t = ways_in(NULL, true, &child);
	cr_expect_eq(t.in, sandbox_has_landlock() ? 0 : LEFT, "ways %#x", t.in);
	cr_expect_eq(t.bad, 0, "errno %d", t.bad);
	cr_expect_eq(child.in, LEFT, "ways %#x", child.in);
}
