/* SPDX-License-Identifier: MIT */
/*
 * A run with a control socket and one client that is connected to it, for the suite `control`. The socket lies in a
 * directory of its own, which has to be empty after each test.
 */
#ifndef TESTS_CONTROL_CONTROL_RUN_H
#define TESTS_CONTROL_CONTROL_RUN_H

#include <jansson.h>

#include "client/connection.h"
#include "run_gnomon.h"

#define ANSWER_MS 3600000 /* of what hangs, run_gnomon.h's limit tells */

extern struct run run;
extern char dir[64], path[96]; /* of the socket */
extern struct connection client;

/* Runs with the socket, and connects. `mode` nested or shadow; the guest's first words are awaited. */
void start(const char *mode, const char *cpus, const char *behaviour, const char *words);

/*
 * Runs the guest kernel's selftest, and connects when its first line is there. False: it was done before a busy host let
 * us. It may be done at any moment.
 */
bool start_selftest(const char *mode, const char *cpus);

/* Runs a guest whose console nobody reads, and connects when the pipe is full: it is held up there, or will be soon. */
void start_with_full_console(const char *mode);

/* `r` of a step of the conversation: if it failed, then the test, with what became of the run. */
void must_work(int r, const char *step);

/* The value of an answer, the caller's to release; an error fails the test. Takes `args`, which may be NULL. */
json_t *ask(const char *command, json_t *args);
void tell(const char *command);

/* A value of the gnomon provider, for the whole VM. */
json_int_t counter(const char *name);

/* Until the guest `idle`, which has said its word, has halted. */
void await_halt(const char *mode);

/* Quits, hears of it, and checks that the run ends well. */
void quit(void);

#endif
