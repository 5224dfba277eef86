/* SPDX-License-Identifier: MIT */
/* A guest with a control socket of its own, for the drivers that talk to one. What fails is logged. */
#ifndef GNOMON_BENCH_WORKLOAD_SOCKET_GUEST_H
#define GNOMON_BENCH_WORKLOAD_SOCKET_GUEST_H

#include <stddef.h>
#include <sys/types.h>

#include "base/log.h"

#define SOCKET_ANSWER_MS 20000

/* Where the socket lies. */
struct socket_place {
	char dir[80], path[96];
};

/* A directory of our own for the socket. -errno, not logged. */
int must_check socket_place_make(struct socket_place *ret_place);

/* Once the guest is gone, which may have left its socket. */
void socket_place_remove(const struct socket_place *place);

/*
 * Runs argv[0] with stdin from /dev/null, this process's stderr, and `out` as stdout, -1 for /dev/null. Gives its PID, or
 * -errno.
 */
pid_t socket_guest_start(const char *const *argv, int out);

/* Until the guest listens at `path`. -ECHILD: it ended and is reaped; -ETIMEDOUT. */
int must_check socket_guest_wait(pid_t guest, const char *path);

#endif
