/* SPDX-License-Identifier: MIT */
/* The control socket of a run. */
#ifndef GNOMON_MACHINE_SOCKET_H
#define GNOMON_MACHINE_SOCKET_H

#include "machine/machine.h"
#include "control/server.h"

struct control_socket {
	bool open;
	struct machine machine;
	struct server server;
};

/*
 * Lets clients connect at `path` until control_close(); NULL: does nothing. After the VM is complete, before its first
 * vCPU starts. -errno, logged: -EEXIST, -EADDRINUSE and -ENAMETOOLONG are about the path.
 */
int must_check control_open(struct control_socket *c, const char *path, const struct machine_parts *parts);

/*
 * Serves the clients. Call it after the first vCPU was started: a client may only act on a VM that runs. -errno,
 * logged; the caller calls control_close() all the same.
 */
int must_check control_serve(struct control_socket *c);

/* Tells the clients of a change by `--paging auto`: a paging_auto_fn for the socket as `ctx`. Any thread. */
void control_paging_changed(void *ctx, const char *mode, const char *reason, const char *detail, uint64_t us);

/* Tells the clients how the run ended, and removes the socket. After vm_end(), before the VM's devices go. */
void control_close(struct control_socket *c);

#endif
