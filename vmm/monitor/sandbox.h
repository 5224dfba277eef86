/* SPDX-License-Identifier: MIT */
/*
 * What the two processes give up before a guest runs. The monitor keeps what it needs to run enclaves; nobody reads
 * its memory (PR_SET_DUMPABLE). The VMM gives up the calls by which one process reaches into another. Neither keeps out
 * root, nor the host's kernel (docs/enclave.md).
 */
#ifndef GNOMON_MONITOR_SANDBOX_H
#define GNOMON_MONITOR_SANDBOX_H

#include "base/log.h"

/* The leak sanitizer traces its own process at the end. */
#ifdef __has_feature /* clang */
#if __has_feature(address_sanitizer)
#define SANDBOX_LEAVES_PTRACE
#endif
#elif defined(__SANITIZE_ADDRESS__) /* gcc */
#define SANDBOX_LEAVES_PTRACE
#endif

/* The calling process is the monitor, with all its threads made and all its files open. -errno, logged. */
int must_check sandbox_monitor(void);

/* The calling process is the VMM: ptrace and the like fail with EPERM from now on, in all threads. -errno, logged. */
int must_check sandbox_vmm(void);

#endif
