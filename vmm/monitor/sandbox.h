/* SPDX-License-Identifier: MIT */
/*
 * What the two processes give up before a guest runs. The monitor keeps what it needs to run enclaves, has no files any
 * more, and nobody reads its memory (PR_SET_DUMPABLE). The VMM gives up the calls by which one process reaches into
 * another, and goes into a Landlock domain, out of which it cannot look into the monitor, as root neither. Other
 * processes of root's are not kept out, nor is the host's kernel (docs/enclave.md).
 */
#ifndef GNOMON_MONITOR_SANDBOX_H
#define GNOMON_MONITOR_SANDBOX_H

#include <stdbool.h>

#include "base/log.h"

/* The leak sanitizer traces its own process at the end. */
#ifdef __has_feature /* clang */
#if __has_feature(address_sanitizer)
#define SANDBOX_LEAVES_PTRACE
#endif
#elif defined(__SANITIZE_ADDRESS__) /* gcc */
#define SANDBOX_LEAVES_PTRACE
#endif

/* Before both: whether they can succeed. One sentence then, and not one of each process. -errno, logged. */
int must_check sandbox_check(void);

/* The calling process is the monitor, with all its files open and one thread yet. -errno, logged. */
int must_check sandbox_monitor_files(void);
/* With all its threads made, too. -errno, logged. */
int must_check sandbox_monitor(void);

/*
 * The calling process is the VMM, and has one thread yet: ptrace and the like fail with EPERM from now on. -errno,
 * logged.
 */
int must_check sandbox_vmm(void);

/* Whether this kernel has Landlock. */
bool sandbox_has_landlock(void);

#endif
