/* SPDX-License-Identifier: MIT */
/* A run that is saved to a file in its directory, and runs that go on from there. For the suite `control`. */
#ifndef TESTS_CONTROL_SNAPSHOT_RUN_H
#define TESTS_CONTROL_SNAPSHOT_RUN_H

#include "control_run.h"
#include "snapshot/reader.h"

#define MIB (1 << 20)

extern struct run tool;
extern char file[128], kernel[256]; /* filled in by prepare() */

void prepare(void);

/* Goes on from the file with the socket, connected. */
void restore(const char *mode);

/* A save by `gnomon snapshot save`, awaited. */
void save(void);

/* `gnomon snapshot verify` finds the file good. */
void expect_good(void);

/* The process that writes the snapshot, a child of `of`; 0: it is gone already. */
pid_t writer(pid_t of);

/* Ends the run whatever it does. A process of its that writes dies with it, and is reaped here. */
void kill_run(void);

/* Takes what the guest says until `words` are there `n` times. */
void await(const char *words, unsigned n);

/* Until the guest drives its balloon; asks it to have so much; until it has so much. */
void await_driver(void);
void set_balloon(json_int_t bytes);
void await_balloon(json_int_t bytes);

#endif
