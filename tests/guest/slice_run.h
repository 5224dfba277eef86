/* SPDX-License-Identifier: MIT */
/*
 * A run whose memory is taken away and given back by name through its control socket, and which says "round" as long as
 * its guest finds in the rest of it what it has put there. The socket lies in a directory of its own, which has to be
 * empty after each test.
 */
#ifndef TESTS_GUEST_SLICE_RUN_H
#define TESTS_GUEST_SLICE_RUN_H

#include "run_gnomon.h"

extern struct run r, tool;
extern char path[96]; /* of the socket */

/* Before and after each test. */
void slice_run_init(void);
void slice_run_fini(void);

/* With 64 MiB of memory; until the guest has said two rounds. */
void start(const char *guest, const char *mode, const char *cpus, const char *backing);

/* Quits, and checks that the run ends well. */
void quit(void);

/* Drops what the guest has said; it waits when nobody listens. */
void drain(void);

/* `gnomon ctl` without arguments; and reclaim or release of a slice, as "gpa=..." and "size=...". They have to succeed.
 */
void tell(const char *command);
void ctl(const char *command, const char *gpa, const char *size);

/* It fails, with `words`. */
void ctl_refuses(const char *command, const char *gpa, const char *size, const char *words);

/* Asks for the counters; value(): one of them, as of then. */
void query(void);
unsigned long long value(const char *name);

/* The guest checks its words in `n` rounds more than it had said when this began. */
void rounds(int n);

#endif
