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

/* Saves a guest at its selftest, which then goes on and ends well; `packed`: --compress. */
void save_at_work(const char *mode, const char *cpus, const char *to, bool packed);

/* `gnomon snapshot verify` finds the file good. */
void expect_good(void);

/* The process that writes the snapshot, a child of `of`; 0: it is gone already. */
pid_t writer(pid_t of);

/* SIGSTOP, and it has come. False: the process was at its end before. */
bool is_held(pid_t pid);

/*
 * Ends the run whatever it does. A process of its that writes dies with it, and is reaped here; what it may leave beside its
 * file is removed.
 */
void kill_run(void);

/* Takes what the guest has said so far; what it says until `words` are there `n` times. */
void take_what_is_there(void);
void await(const char *words, unsigned n);

/* Until the guest drives its balloon; asks it to have so much; until it has so much. */
void await_driver(void);
void set_balloon(json_int_t bytes);
void await_balloon(json_int_t bytes);

#endif
