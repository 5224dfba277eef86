/* SPDX-License-Identifier: MIT */
#include "fake_server.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../unit/fake_vm.h"

struct server fake_server;
char fake_server_dir[64], fake_server_path[96];
static struct fake_vm fake;
static struct control_ops ops;

void fake_server_start(void (*set)(struct control_ops *ops))
{
	strcpy(fake_server_dir, "/tmp/gnomon-fake-XXXXXX");
	cr_assert(mkdtemp(fake_server_dir));
	snprintf(fake_server_path, sizeof(fake_server_path), "%s/socket", fake_server_dir);
	ops = fake_ops;
	set(&ops);
	fake = (struct fake_vm){.running = true, .name = "fake"};
	cr_assert_eq(server_open(&fake_server, fake_server_path, &ops, &fake), 0);
	cr_assert_eq(server_run(&fake_server), 0);
}

void fake_server_stop(void)
{
	server_stop(&fake_server, false, "host-qmp-quit");
	cr_expect_eq(rmdir(fake_server_dir), 0, "something was left in %s", fake_server_dir);
}
