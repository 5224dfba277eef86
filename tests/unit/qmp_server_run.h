/* SPDX-License-Identifier: MIT */
/*
 * The control server at a real socket, with a VM made of a few variables, for the suite `qmp_server`. The socket lies
 * in a directory of its own, which has to be empty after each test.
 */
#ifndef TESTS_UNIT_QMP_SERVER_RUN_H
#define TESTS_UNIT_QMP_SERVER_RUN_H

#include "control/server.h"

#define SECONDS 20 /* against hangs; no statement about speed */

extern struct server server;
extern char dir[64], path[96]; /* of the socket */

/* server_open() for the made-up VM. */
int open_server(struct server *s, const char *at);

/* `server`, at `path`. stop(): and it takes its socket away. */
void start(void);
void stop(void);

/* A client without manners. */
int raw_connect(void);
void say(int fd, const char *text);

/* Takes what comes until `text` was seen; false at the end of the stream. */
bool read_until(int fd, const char *text);

/* A well-behaved client gets its answer now. */
void expect_service(void);

#endif
