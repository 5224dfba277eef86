/* SPDX-License-Identifier: MIT */
/* The balloon's driver: what SYS_BALLOON does. Results as in syscall.h. */
#ifndef GUEST_BALLOON_H
#define GUEST_BALLOON_H

#include "kernel.h"

int64_t balloon_start(struct proc *p);
bool balloon_is_server(const struct proc *p); /* the device reads pages of its, wherever they are */
int64_t balloon_serve(struct proc *p);

#endif
