/* SPDX-License-Identifier: MIT */
/* The server's end of a UNIX socket: where it may lie, who may connect, when it goes. */
#ifndef GNOMON_CONTROL_LISTEN_H
#define GNOMON_CONTROL_LISTEN_H

#include <stdbool.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "base/log.h"

struct listener {
	int fd; /* non-blocking */
	struct sockaddr_un addr;
	dev_t dev; /* of the socket's file: it is ours as long as these two agree */
	ino_t ino;
};

/*
 * Makes a socket at `path` with mode 0600 and listens. Replaces a socket that is there already if nobody listens at it.
 * Leaves whatever else is there. -errno, logged.
 */
int must_check listener_open(struct listener *l, const char *path);

/* Stops listening and removes the socket's file, unless another one has taken its place. */
void listener_close(struct listener *l);

/*
 * Returns the next connection, non-blocking and close-on-exec. -EAGAIN: none waits. -EACCES: it came from a user who is
 * neither ours nor root, and is closed. Other -errno from accept(2).
 */
int must_check listener_accept(struct listener *l);

#endif
