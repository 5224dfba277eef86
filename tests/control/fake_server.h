/* SPDX-License-Identifier: MIT */
/* A control server of this process, whose VM answers what a test wants: for what tools make of answers. */
#ifndef TESTS_CONTROL_FAKE_SERVER_H
#define TESTS_CONTROL_FAKE_SERVER_H

#include "control/server.h"

extern struct server fake_server;
extern char fake_server_dir[64];  /* has to be empty after each test */
extern char fake_server_path[96]; /* of the socket in it */

/* `set` puts the operations of the test in place of those of tests/unit/fake_vm.h. */
void fake_server_start(void (*set)(struct control_ops *ops));
void fake_server_stop(void);

#endif
