/* SPDX-License-Identifier: MIT */
/* The control socket of a run. */
#ifndef GNOMON_CMD_CONTROL_H
#define GNOMON_CMD_CONTROL_H

#include "control/machine.h"
#include "control/server.h"

struct control_socket {
	bool open;
	struct machine machine;
	struct server server;
};

/*
 * Serves clients at `path` until control_close(); NULL: does nothing. After the VM is complete, before its first vCPU
 * starts. -errno, said: -EEXIST, -EADDRINUSE and -ENAMETOOLONG are about the path.
 */
int must_check control_open(struct control_socket *c, const char *path, struct vm *vm, const struct boot_params *boot);

/* Tells the clients how the run ended, and removes the socket. After vm_end(), before the VM's devices go. */
void control_close(struct control_socket *c);

#endif
