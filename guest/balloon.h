/* SPDX-License-Identifier: MIT */
/* The balloon's driver: what its system calls do. */
#ifndef GUEST_BALLOON_H
#define GUEST_BALLOON_H

#include "kernel.h"

int64_t balloon_start(struct proc *p);
int64_t balloon_serve(struct proc *p);

#endif
