/* SPDX-License-Identifier: MIT */
/* A VM with a balloon and a control socket, and `gnomon balloon` and `gnomon ctl` that talk to it: suite `balloon`. */
#ifndef TESTS_GUEST_BALLOON_RUN_H
#define TESTS_GUEST_BALLOON_RUN_H

#include "run_gnomon.h"

#define MIB (1ull << 20)

extern struct run vm, client;            /* the VM; what talks to it */
extern char kernel[4096], vm_socket[96]; /* kernel.elf; the socket */

struct sizes {
	unsigned long long memory, actual, target, host_before, host_after;
};

/* gnomon balloon --wait --json, and that it got there. */
struct sizes vm_resize(const char *size);

/* Waits a second or more for a change that does not come; `client` has what the tool says of that. */
void vm_resize_in_vain(const char *size);

/* Ends the VM. */
void vm_quit(void);

unsigned long long number_behind(const char *text, const char *words);

/* What the VM has, as the guest, the host and the guest's allocator see it, bytes. */
struct view {
	unsigned long long actual; /* RAM less balloon */
	unsigned long long host;   /* memory_host: of the guest's RAM, in the host's memory */
	unsigned long long rss;    /* of the gnomon process */
	unsigned long long free;   /* in the guest, as it says itself */
};

struct view vm_look(void);

/* Free memory, by a report that is asked for here. A busy guest may answer late: then the next report counts. */
unsigned long long vm_free_memory(void);

#endif
