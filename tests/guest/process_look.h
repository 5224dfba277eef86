/* SPDX-License-Identifier: MIT */
/* Waits for what another process does, by what proc(5) tells of it, where a sleep would be long enough on a quiet host only. */
#ifndef TESTS_GUEST_PROCESS_LOOK_H
#define TESTS_GUEST_PROCESS_LOOK_H

#include <sys/types.h>

/* Until it is gnomon, and the signal no longer ends it at once: it is blocked or caught. */
void await_heed(pid_t process, int signal);

/* Until it waits for somebody: it is gnomon, has no child, and sleeps whenever one looks. */
void await_sleep(pid_t process);

/* Until it has had so much of a CPU. */
#define AT_WORK_MS 200 /* more than a start takes */
void await_cpu_time(pid_t process, int ms);

#endif
