/* SPDX-License-Identifier: MIT */
/*
 * The signal that ends a thread's system call: KVM_RUN, or a write that blocks. A standard one: the kernel has no room
 * to find for it, where a real-time signal is lost when the user's queue is full (RLIMIT_SIGPENDING). By default it is
 * ignored, so one from outside does nothing at any time.
 */
#ifndef GNOMON_BASE_NUDGE_H
#define GNOMON_BASE_NUDGE_H

#include <signal.h>

#define SIG_NUDGE SIGURG

/* From here on it interrupts the thread that gets it, in the whole process. */
void nudge_catch(void);

#endif
