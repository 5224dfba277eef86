/* SPDX-License-Identifier: MIT */
#include "qmp_server_run.h"

#include <criterion/criterion.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "client/connection.h"
#include "fake_vm.h"

struct server server;
char dir[64], path[96];
static struct fake_vm vm;

static void setup(void)
{
	strcpy(dir, "/tmp/gnomon-qmp-XXXXXX");
	cr_assert(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/socket", dir);
	vm = (struct fake_vm){.running = true, .name = "fake"};
}

static void teardown(void)
{
	unlink(path);
	cr_expect_eq(rmdir(dir), 0, "something was left in %s", dir);
}

TestSuite(qmp_server, .init = setup, .fini = teardown, .timeout = 2 * SECONDS);

int open_server(struct server *s, const char *at)
{
	return server_open(s, at, &fake_ops, &vm);
}

void start(void)
{
	cr_assert_eq(open_server(&server, path), 0);
	cr_assert_eq(server_run(&server), 0);
}

void stop(void)
{
	server_stop(&server, false, "host-qmp-quit");
	cr_expect_eq(access(path, F_OK), -1, "the socket was left");
}

int raw_connect(void)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	strcpy(addr.sun_path, path);
	cr_assert_eq(connect(fd, (void *)&addr, sizeof(addr)), 0);
	return fd;
}

bool read_until(int fd, const char *text)
{
	static char seen[1 << 20];
	size_t len = 0;

	for (;;) {
		struct pollfd p = {.fd = fd, .events = POLLIN};
		ssize_t n;

		cr_assert_eq(poll(&p, 1, SECONDS * 1000), 1, "no answer; so far: %.1000s", seen);
		n = read(fd, seen + len, sizeof(seen) - 1 - len);
		if (n <= 0)
			return false;
		len += n;
		seen[len] = 0;
		if (strstr(seen, text))
			return true;
		if (len > sizeof(seen) / 2) {
			memmove(seen, seen + len - 256, 256);
			len = 256;
		}
	}
}

void say(int fd, const char *text)
{
	cr_assert_eq(send(fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

void expect_service(void)
{
	struct connection c;
	json_t *value = NULL;

	cr_assert_eq(connection_open(&c, path, SECONDS * 1000), 0);
	cr_assert_eq(connection_ask(&c, "query-status", NULL, &value), 0);
	cr_expect_str_eq(json_string_value(json_object_get(value, "status")), "running");
	json_decref(value);
	connection_close(&c);
}
