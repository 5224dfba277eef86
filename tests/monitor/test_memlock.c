/* SPDX-License-Identifier: MIT */
/*
 * A limit on locked memory, for a monitor without CAP_IPC_LOCK. What is protected here: whatever the limit, enclaves
 * can be made, and the monitor says that its memory is locked only if all of it is.
 */
#include <criterion/criterion.h>
#include <linux/capability.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "child.h"
#include "monitor/monitor.h"
#include "monitor/sandbox.h"
#include "sample.h"

#define BASE 0x10000000ull

static void init(void)
{
#ifdef SANDBOX_LEAVES_PTRACE
	cr_skip("the address sanitizer makes mlockall do nothing");
#endif
	if (access("/dev/kvm", R_OK | W_OK) == 0)
		return;
	cr_assert_null(getenv("GNOMON_MUST_HAVE_KVM"), "no /dev/kvm");
	cr_skip("no usable /dev/kvm");
}

TestSuite(memlock, .init = init, .timeout = 120);

static bool ask(struct monitor *m, enum monitor_op op, unsigned id)
{
	const struct gnomon_enclave_create create = {
	    .base = BASE, .size = 2 * MONITOR_PAGE, .entry = BASE, .stack = BASE + MONITOR_PAGE};
	struct monitor_reply reply;

	*monitor_request(m, 0) =
	    (struct monitor_request){.op = op, .id = id, .va = BASE, .rights = 5, .create = create};
	return monitor_call(m, 0, &reply) == 0 && reply.status == GNOMON_ENCLAVE_OK;
}

struct said {
	int locked;   /* KiB; -1: there was no monitor, 0: it says that nothing is */
	int enclaves; /* that were made */
};

/* In a process of its own, whose limit is `limit` KiB. */
_Noreturn static void try_limit(rlim_t limit, int to)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	const struct __user_cap_data_struct none[2] = {0};
	const struct rlimit r = {limit * 1024, limit * 1024};
	struct said said = {.locked = -1};
	struct monitor *m;

	if (setrlimit(RLIMIT_MEMLOCK, &r) < 0 || syscall(SYS_capset, &header, none) < 0)
		_exit(1);
	m = monitor_start(
	    &(struct monitor_config){.kind = MONITOR_PROCESS, .memory = 8 << 20, .levels = 2, .slots = 1});
	for (unsigned id = 1; m && id <= GNOMON_ENCLAVE_MAX; id++) {
		memcpy(monitor_content(m, 0), sample, MONITOR_PAGE);
		said.enclaves += ask(m, MONITOR_CREATE, id) && ask(m, MONITOR_ADD, id) && ask(m, MONITOR_INIT, id);
	}
	if (m)
		said.locked = monitor_is_locked(m) ? status_of(child_of(getpid()), "VmLck") : 0;
	_exit(write(to, &said, sizeof(said)) == (ssize_t)sizeof(said) ? 0 : 1);
}

static bool with_limit(rlim_t limit, struct said *ret_said)
{
	int fd[2];
	pid_t pid;
	bool good;

	cr_assert_eq(pipe(fd), 0);
	pid = fork();
	if (pid == 0)
		try_limit(limit, fd[1]);
	close(fd[1]);
	memset(ret_said, 0, sizeof(*ret_said));
	good = read(fd[0], ret_said, sizeof(*ret_said)) == (ssize_t)sizeof(*ret_said);
	close(fd[0]);
	waitpid(pid, NULL, 0);
	return good;
}

/* It is enough for what the monitor has when it begins, or for a part of what enclaves need then. */
Test(memlock, enough_to_begin_with)
{
	static const int less[] = {0, 64, 512, 2048, 6144}; /* KiB */
	struct said all, said;

	if (!with_limit(1 << 21, &all))
		cr_skip("this process may not raise the limit");
	cr_assert_gt(all.locked, 0);
	cr_expect_eq(all.enclaves, GNOMON_ENCLAVE_MAX);
	for (size_t i = 0; i < sizeof(less) / sizeof(*less); i++) {
		cr_assert(with_limit(all.locked - less[i], &said));
		cr_expect_eq(said.enclaves, GNOMON_ENCLAVE_MAX, "%d less than %d KiB: %d enclaves, %d KiB locked",
		             less[i], all.locked, said.enclaves, said.locked);
	}
}

/* None at all. */
Test(memlock, nothing)
{
	struct said said;

	cr_assert(with_limit(0, &said));
	cr_expect_eq(said.locked, 0);
	cr_expect_eq(said.enclaves, GNOMON_ENCLAVE_MAX);
}
