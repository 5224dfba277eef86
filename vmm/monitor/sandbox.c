/* SPDX-License-Identifier: MIT */
#include "monitor/sandbox.h"

#include <errno.h>
#include <linux/kvm.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/*
 * All that a thread of the monitor does while enclaves run, but for confine(). A message goes to stderr by write, with a
 * timer (base/patience.c); access() asks whether this KVM is kvm_pvm (kvm/cpuid.c).
 */
static const int monitor_calls[] = {
    SCMP_SYS(futex),        SCMP_SYS(mmap),           SCMP_SYS(munmap),
    SCMP_SYS(madvise),      SCMP_SYS(mprotect),       SCMP_SYS(brk),
    SCMP_SYS(close),        SCMP_SYS(write),          SCMP_SYS(writev),
    SCMP_SYS(getrandom),    SCMP_SYS(clock_gettime),  SCMP_SYS(sched_yield),
    SCMP_SYS(rt_sigreturn), SCMP_SYS(rt_sigprocmask), SCMP_SYS(restart_syscall),
    SCMP_SYS(getpid),       SCMP_SYS(gettid),         SCMP_SYS(rt_sigaction),
    SCMP_SYS(exit),         SCMP_SYS(exit_group),     SCMP_SYS(poll),
    SCMP_SYS(mremap),       SCMP_SYS(timer_create),   SCMP_SYS(timer_settime),
    SCMP_SYS(timer_delete), SCMP_SYS(mlock2),         SCMP_SYS(munlock),
    SCMP_SYS(access),
};

/* By which the VMM could reach the monitor's memory, its descriptors or its threads. */
static const int vmm_refused[] = {
#ifndef SANDBOX_LEAVES_PTRACE
    SCMP_SYS(ptrace),
#endif
    SCMP_SYS(process_vm_readv), SCMP_SYS(process_vm_writev), SCMP_SYS(pidfd_getfd),  SCMP_SYS(kcmp),
    SCMP_SYS(process_madvise),  SCMP_SYS(perf_event_open),   SCMP_SYS(bpf),          SCMP_SYS(userfaultfd),
    SCMP_SYS(process_mrelease), SCMP_SYS(init_module),       SCMP_SYS(finit_module),
};

#define IOCTL_TYPE 0xff00 /* ioctl(2): the bits of a request that say whose it is */

/* Calls that the monitor makes to KVM and to its own threads alone. Its stderr may be a terminal, which has TIOCSTI. */
static int confine(scmp_filter_ctx ctx)
{
	const struct scmp_arg_cmp kvm = {
	    .arg = 1, .op = SCMP_CMP_MASKED_EQ, .datum_a = IOCTL_TYPE, .datum_b = KVMIO << 8};
	const struct scmp_arg_cmp ours = {.arg = 0, .op = SCMP_CMP_EQ, .datum_a = (uint64_t)getpid(), .datum_b = 0};
	int r = seccomp_rule_add_array(ctx, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1, &kvm);

	return r < 0 ? r : seccomp_rule_add_array(ctx, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1, &ours);
}

/*
 * In all threads, with `otherwise` for every call that is not listed and `listed` for those that are; `more` adds to it
 * unless it is NULL. -errno, logged.
 */
static int filter(uint32_t otherwise, uint32_t listed, const int *call, size_t nr, int (*more)(scmp_filter_ctx ctx))
{
	scmp_filter_ctx ctx = seccomp_init(otherwise);
	int r = ctx ? seccomp_attr_set(ctx, SCMP_FLTATR_CTL_TSYNC, 1) : -ENOMEM;

	for (size_t i = 0; r == 0 && i < nr; i++)
		r = seccomp_rule_add(ctx, listed, call[i], 0);
	if (r == 0 && more)
		r = more(ctx);
	if (r == 0)
		r = seccomp_load(ctx);
	seccomp_release(ctx);
	return r < 0 ? log_errno(-r, "seccomp") : 0;
}

bool sandbox_has_landlock(void)
{
	return syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION) > 0;
}

int sandbox_check(void)
{
	const uint32_t kill = SECCOMP_RET_KILL_PROCESS;

	return syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &kill) < 0
	           ? log_errno(errno, "the enclave monitor needs seccomp filters, which this kernel refuses")
	           : 0;
}

/*
 * The calling thread, and those that it makes, lose these rights to files. They can no longer trace or look into a
 * process that is not in their domain either, as root neither: not even by /proc/PID/mem (Linux, Landlock, "Ptrace
 * restrictions"). A kernel without Landlock (before 5.13, or not enabled) restricts nothing. -errno, logged.
 */
static int enter_domain(uint64_t lost)
{
	const struct landlock_ruleset_attr rules = {.handled_access_fs = lost};
	int fd, r = 0;

	if (!sandbox_has_landlock())
		return 0;
	fd = (int)syscall(SYS_landlock_create_ruleset, &rules, sizeof(rules), 0);
	if (fd < 0)
		return log_errno(errno, "Landlock makes no ruleset");
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || syscall(SYS_landlock_restrict_self, fd, 0) < 0)
		r = log_errno(errno, "Landlock");
	close(fd);
	return r;
}

int sandbox_monitor_files(void)
{
	return enter_domain((LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1); /* all rights of Landlock's first version */
}

int sandbox_monitor(void)
{
	if (prctl(PR_SET_DUMPABLE, 0) < 0)
		return log_errno(errno, "PR_SET_DUMPABLE");
	return filter(SCMP_ACT_KILL_PROCESS, SCMP_ACT_ALLOW, monitor_calls,
	              sizeof(monitor_calls) / sizeof(*monitor_calls), confine);
}

int sandbox_vmm(void)
{
	/* A domain has to lose something: this is what no VMM does. */
	if (enter_domain(LANDLOCK_ACCESS_FS_MAKE_BLOCK) < 0)
		return -EIO;
	return filter(SCMP_ACT_ALLOW, SCMP_ACT_ERRNO(EPERM), vmm_refused, sizeof(vmm_refused) / sizeof(*vmm_refused),
	              NULL);
}
