/* SPDX-License-Identifier: MIT */
/* Machines without /sys or /proc, file systems without locks, and limits on descriptors and memory. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "surroundings.h"

static struct run r;

static void setup(void)
{
	need_kvm();
	dir_make();
}

TestSuite(limits, .init = setup, .fini = dir_remove);

static rlim_t limit;

static void few_descriptors(void)
{
	setrlimit(RLIMIT_NOFILE, &(struct rlimit){limit, limit});
}

/* One descriptor more each time, until all works: before that, the reason and status 1. */
static void descriptors(const char *const *args)
{
	bool worked = false;

	r.surroundings = few_descriptors;
	for (limit = 4; !worked; limit++) {
		cr_assert_lt(limit, 60, "it never works");
		run_args(&r, args);
		worked = r.status == 0;
		if (worked)
			cr_assert_str_eq(r.err, "", "status 0 with words: %s", r.err);
		else
			cr_assert(r.status == 1 && strstr(r.err, "Too many open files"), "%d %s", r.status, r.err);
	}
}

Test(limits, few_descriptors)
{
	descriptors((const char *const[]){"run", guest_path("exit-status-0"), NULL});
	descriptors((const char *const[]){"run", "--cpus", "4", "--control", in_dir("socket"),
	                                  guest_path("exit-status-0"), NULL});
}

static void little_memory(void)
{
	setrlimit(RLIMIT_AS, &(struct rlimit){limit, limit});
}

/* Address space for less and less: it ends with a line, or works. */
Test(limits, little_memory)
{
	need_no_sanitizer();
	r.surroundings = little_memory;
	for (limit = 256 << 20; limit > 8 << 20; limit = limit * 7 / 8) {
		run_gnomon(&r, "run", "--cpus", "2", "--memory", "64M", guest_path("exit-status-0"));
		if (r.status)
			expect_line(&r, 1, "");
	}
}

static void small_stack(void)
{
	setrlimit(RLIMIT_STACK, &(struct rlimit){80 << 10, limit});
}

/* Threads do not take the stack's limit, and the main one takes what the hard limit allows: nesting as documented. */
Test(limits, small_stack)
{
	static struct run tool;
	char nested[2100] = "x=";
	struct rlimit now;

	need_no_sanitizer();
	memset(nested + 2, '[', 1000);
	memset(nested + 1002, ']', 1000);
	cr_assert_eq(getrlimit(RLIMIT_STACK, &now), 0);
	limit = now.rlim_max;
	r.surroundings = tool.surroundings = small_stack;
	run_start(&r, (const char *const[]){"run", "--paging", "shadow", "--cpus", "2", "--control", in_dir("socket"),
	                                    guest_path("spin"), NULL});
	run_until(&r, "spinning\n");
	run_gnomon(&tool, "ctl", in_dir("socket"), "query-status", nested);
	expect_line(&tool, 1, "query-status");
	run_gnomon(&tool, "ctl", in_dir("socket"), "quit");
	expect_status(&tool, 0);
	run_finish(&r);
	expect_status(&r, 0);
}

/* Where the hard limit is as small, too, that is said before anything else. */
Test(limits, stack_that_cannot_grow)
{
	need_no_sanitizer();
	limit = 80 << 10;
	r.surroundings = small_stack;
	run_gnomon(&r, "host");
	expect_refusal(&r, 1, "the stack may have 80 KiB, and 1024 are needed (see `ulimit -s`)");
	limit = 1 << 20;
	run_gnomon(&r, "host");
	expect_status(&r, 0);
}

/* A user's full queue of signals keeps no run from its end: time limit, signal, pause. */
Test(limits, no_room_for_signals)
{
	static struct run tool;

	r.surroundings = without_signal_queue;
	run_gnomon(&r, "run", "--cpus", "4", "--timeout", "1", guest_path("spin-on-4-cpus"));
	expect_killed(&r, "it has not ended within 1 s");
	run_start(&r, (const char *const[]){"run", "--control", in_dir("socket"), guest_path("spin"), NULL});
	run_until(&r, "spinning\n");
	run_gnomon(&tool, "ctl", in_dir("socket"), "stop");
	expect_status(&tool, 0);
	kill(r.pid, SIGTERM);
	run_finish(&r);
	cr_assert_eq(r.status, 130);
}

/* --- filters, and file systems without locks --- */

static int lock_error;

/* A system call fails, as where a container's filter has it. */
static void refuse(unsigned call, int error)
{
	const struct sock_filter code[] = {
	    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
	    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call, 0, 1),
	    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (unsigned)error),
	    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	const struct sock_fprog program = {.len = sizeof(code) / sizeof(*code), .filter = (void *)(uintptr_t)code};

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0)
		_exit(253);
}

/* flock(2) fails in this way, as NFS, 9p and others have it. */
static void no_locks(void)
{
	refuse(SYS_flock, lock_error);
}

static void no_kill(void)
{
	refuse(SYS_kill, EPERM);
}

/* The control socket is served, and replaces one that was left behind. */
Test(limits, without_locks)
{
	static const int errors[] = {ENOLCK, ENOSYS, EOPNOTSUPP, EBADF, EINVAL};
	static struct run tool;

	r.surroundings = no_locks;
	for (size_t i = 0; i < sizeof(errors) / sizeof(*errors); i++) {
		lock_error = errors[i];
		run_start(&r, (const char *const[]){"run", "--control", in_dir("socket"), guest_path("spin"), NULL});
		run_until(&r, "spinning\n");
		run_gnomon(&tool, "ctl", in_dir("socket"), "query-status");
		expect_status(&tool, 0);
		if (i % 2)
			run_gnomon(&tool, "ctl", in_dir("socket"), "quit");
		else
			kill(r.pid, SIGKILL);
		run_finish(&r);
	}
}

/* Somebody who holds the lock for ever is named, not waited for. */
Test(limits, lock_that_stays)
{
	const int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	cr_assert_eq(flock(fd, LOCK_EX), 0);
	run_gnomon(&r, "run", "--control", in_dir("socket"), guest_path("exit-status-0"));
	expect_line(&r, 1, "stays locked");
	close(fd);
}

/* --- names that are no text --- */

static json_t *at(json_t *root, const char *key, const char *inner)
{
	return json_object_get(json_object_get(root, key), inner);
}

static void strange_names(void)
{
	setenv("GNOMON_KVM_DEVICE", "/x\xff\x1b[31m\n\xc2\x9b\xe2\x80\xae", 1);
	if (unshare(CLONE_NEWUTS) < 0 || sethostname("a\xff\x1b[31m", 7) < 0)
		_exit(253);
}

static void expect_plain(void)
{
	cr_assert_null(strstr(r.out, "\x1b["));
	cr_assert_null(strstr(r.out, "\xc2\x9b"));
	cr_assert_null(strstr(r.out, "\xe2\x80\xae"));
}

/* They reach neither the terminal nor JSON as they are, and cost no results. */
Test(limits, strange_names)
{
	json_t *root;

	if (getuid() != 0)
		cr_skip_test("only root can name the host");
	r.surroundings = strange_names;
	run_gnomon(&r, "run", guest_path("exit-status-0"));
	expect_line(&r, 1, "/x??[31m??????");
	run_gnomon(&r, "host");
	expect_status(&r, 0);
	expect_plain();
	cr_assert(strstr(r.out, "/x??[31m??????: "), "%s", r.out);
	run_gnomon(&r, "host", "--json");
	expect_status(&r, 0);
	root = json_loads(r.out, 0, NULL);
	cr_assert_str_eq(json_string_value(at(root, "kvm", "device")), "/x??[31m??????");
	json_decref(root);
	run_gnomon(&r, "bench", "--only", "walks", "--runs", "1", "--json", in_dir("json"));
	expect_plain();
	cr_assert(json_load_file(in_dir("json"), 0, NULL), "%s", r.err);
	cr_assert(strstr(content(in_dir("json")), "\"a??[31m\""));
}

/* --- machines without /sys or /proc --- */

static const char *hidden[2];

/* Empty directories stand there instead, for this process alone. */
static void hide(void)
{
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		_exit(253);
	for (int i = 0; i < 2; i++)
		if (hidden[i] && mount("none", hidden[i], "tmpfs", 0, "") < 0)
			_exit(253);
}

/* Guests run, and reports say what they do not know instead of a number. */
static void without(const char *first, const char *second)
{
	json_t *root;

	hidden[0] = first;
	hidden[1] = second;
	r.surroundings = hide;
	run_gnomon(&r, "--version");
	if (r.status == 253)
		cr_skip_test("no mounts here");
	run_gnomon(&r, "run", kernel_path(), "--", "hello");
	expect_status(&r, 0);
	cr_assert_str_eq(r.out, "hello from gnomon guest\n");
	run_gnomon(&r, "run", "--stats", "/proc/self/fd/1", guest_path("exit-status-0"));
	expect_status(&r, 0);
	cr_assert(strstr(r.out, "\"counters\""), "%s", r.out);
	run_gnomon(&r, "run", "--stats", "/dev/stdout", guest_path("exit-status-0"));
	expect_status(&r, 0);
	cr_assert(strstr(r.out, "\"counters\""), "%s", r.out);
	run_gnomon(&r, "host");
	expect_status(&r, 0);
	cr_assert(strstr(r.out, "unknown"));
	cr_assert_null(strstr(r.out, " 0 x "), "%s", r.out);
	cr_assert_null(strstr(r.out, " 0.0 GiB"), "%s", r.out);
	cr_assert_null(strstr(r.out, "CONFIG_HUGETLBFS"), "%s", r.out);
	run_gnomon(&r, "host", "--json");
	expect_status(&r, 0);
	root = json_loads(r.out, 0, NULL);
	cr_assert(root, "%s", r.out);
	cr_assert_neq(json_integer_value(at(root, "cpu", "online")) > 0, json_is_null(at(root, "cpu", "online")));
	cr_assert_neq(json_integer_value(at(root, "memory", "total")) > 0, json_is_null(at(root, "memory", "total")));
	json_decref(root);
	run_gnomon(&r, "bench", "--only", "startup", "--runs", "1");
	expect_status(&r, 0);
	cr_assert_null(strstr(r.out, "\n0 x"), "%s", r.out);
	cr_assert_null(strstr(r.out, "No such file"), "of which file? %s", r.out);
}

Test(limits, without_sys)
{
	if (getuid() != 0)
		cr_skip_test("only root can mount");
	without("/sys", NULL);
}
Test(limits, without_proc)
{
	if (getuid() != 0)
		cr_skip_test("only root can mount");
	need_no_sanitizer();
	without("/proc", NULL);
}
Test(limits, without_either)
{
	if (getuid() != 0)
		cr_skip_test("only root can mount");
	need_no_sanitizer();
	without("/sys", "/proc");
}

/* The enclaves' monitor cannot be ended: the run ends all the same, says so, and takes it along. */
Test(limits, without_kill)
{
	cr_assert_eq(prctl(PR_SET_CHILD_SUBREAPER, 1), 0); /* not every init looks after a second */
	r.surroundings = no_kill;
	run_gnomon(&r, "run", "--timeout", "100", "--enclave-memory", "4M", guest_path("exit-status-0"), NULL);
	cr_expect_eq(r.status, 0, "%d", r.status);
	cr_expect(strstr(r.err, "cannot end the enclave monitor, which ends with this process: "), "%s", r.err);
}
