/* SPDX-License-Identifier: MIT */
/* The control server's clients: one client, whatever it does, costs the others nothing. */
#include <criterion/criterion.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "client/connection.h"
#include "qmp_server_run.h"

/* Several clients at once: each has its own session; events go to those that negotiated. */
Test(qmp_server, several_clients)
{
	struct connection a, b;
	json_t *value = NULL;
	int silent;

	start();
	silent = raw_connect();
	cr_assert_eq(connection_open(&a, path, SECONDS * 1000), 0);
	cr_assert_eq(connection_open(&b, path, SECONDS * 1000), 0);
	cr_assert_eq(connection_ask(&a, "stop", NULL, &value), 0);
	json_decref(value);
	cr_assert_eq(connection_event(&b, SECONDS * 1000, &value), 0);
	cr_expect_str_eq(json_string_value(json_object_get(value, "event")), "STOP");
	json_decref(value);
	cr_assert_eq(connection_ask(&b, "query-status", NULL, &value), 0);
	cr_expect_str_eq(json_string_value(json_object_get(value, "status")), "paused");
	json_decref(value);
	cr_assert_eq(connection_event(&a, SECONDS * 1000, &value), 0); /* came before the reply */
	json_decref(value);
	say(silent, "{\"execute\":\"query-status\"}");
	cr_expect(read_until(silent, "Expecting capabilities"));
	server_stop(&server, true, "guest-shutdown");
	cr_assert_eq(connection_event(&b, SECONDS * 1000, &value), 0);
	cr_expect_str_eq(json_string_value(json_object_get(value, "event")), "SHUTDOWN");
	cr_expect(json_is_true(json_object_get(json_object_get(value, "data"), "guest")));
	json_decref(value);
	cr_expect_not(read_until(silent, "SHUTDOWN"), "an event without negotiation");
	close(silent);
	connection_close(&a);
	connection_close(&b);
}

/* From another thread, as many as come; clients hear of the last. */
Test(qmp_server, balloon_events)
{
	struct connection c;
	json_t *value;
	json_int_t actual = 0;

	start();
	cr_assert_eq(connection_open(&c, path, SECONDS * 1000), 0);
	for (uint64_t i = 1; i <= 1000; i++)
		server_balloon_changed(&server, i << 20);
	while (actual != 1000 << 20) {
		cr_assert_eq(connection_event(&c, SECONDS * 1000, &value), 0);
		cr_expect_str_eq(json_string_value(json_object_get(value, "event")), "BALLOON_CHANGE");
		actual = json_integer_value(json_object_get(json_object_get(value, "data"), "actual"));
		json_decref(value);
	}
	connection_close(&c);
	stop();
}

/* One that asks for much and reads nothing: it is paused, the others are served, and memory stays bounded. */
Test(qmp_server, client_that_never_reads)
{
	static const char ask[] = "{\"execute\":\"query-stats-schemas\"}";
	int fd;

	start();
	fd = raw_connect();
	say(fd, "{\"execute\":\"qmp_capabilities\"}");
	for (int i = 0; i < 1000000; i++)
		if (send(fd, ask, sizeof(ask) - 1, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
			break;
	cr_expect_eq(errno, EAGAIN, "it took everything, or hung up: %s", strerror(errno));
	for (int i = 0; i < 20; i++)
		expect_service();
	/* It goes on where it was when it reads at last. */
	shutdown(fd, SHUT_WR);
	cr_expect(read_until(fd, "\"stall\""));
	cr_expect_not(read_until(fd, "nothing like this"));
	close(fd);
	stop();
}

/* Its events are lost to it when its queue is full, and then so is it; replies before that are kept. */
Test(qmp_server, deaf_client_is_disconnected)
{
	struct connection busy;
	json_t *value;
	int fd;

	start();
	fd = raw_connect();
	say(fd, "{\"execute\":\"qmp_capabilities\"}");
	cr_assert(read_until(fd, "return"));
	cr_assert_eq(connection_open(&busy, path, SECONDS * 1000), 0);
	for (int i = 0; i < 20000; i++) {
		cr_assert_eq(connection_ask(&busy, i % 2 ? "cont" : "stop", NULL, &value), 0, "after %d", i);
		json_decref(value);
		json_array_clear(busy.events);
		if (i % 1000 == 0 && recv(fd, (char[1]){0}, 1, MSG_PEEK | MSG_DONTWAIT) == 0)
			break;
	}
	cr_expect_not(read_until(fd, "nothing like this"), "it is still connected");
	connection_close(&busy);
	close(fd);
	stop();
}

/* A reply too large for the socket's buffer arrives whole, also to a client that closed its own direction. */
Test(qmp_server, large_reply_after_half_close)
{
	int fd;

	start();
	fd = raw_connect();
	say(fd,
	    "{\"execute\":\"qmp_capabilities\"}{\"execute\":\"dump-tables\"}{\"execute\":\"query-name\",\"id\":99}");
	shutdown(fd, SHUT_WR);
	usleep(50000);
	cr_expect(read_until(fd, "\"id\": 99"));
	cr_expect_not(read_until(fd, "nothing like this"));
	close(fd);
	stop();
}

/* More than SERVER_CLIENTS: told so, and room again when one leaves. */
Test(qmp_server, too_many_clients)
{
	int fd[SERVER_CLIENTS], one_more;

	start();
	for (int i = 0; i < SERVER_CLIENTS; i++) {
		fd[i] = raw_connect();
		cr_assert(read_until(fd[i], "QMP"));
	}
	one_more = raw_connect();
	cr_expect(read_until(one_more, "too many clients"));
	cr_expect_not(read_until(one_more, "nothing like this"));
	close(one_more);
	close(fd[3]);
	fd[3] = -1;
	for (;;) { /* it hears of the end in its own time */
		one_more = raw_connect();
		if (read_until(one_more, "Q") && recv(one_more, (char[1]){0}, 1, MSG_PEEK | MSG_DONTWAIT) != 0)
			break;
		close(one_more);
		usleep(1000);
	}
	say(one_more, "{\"execute\":\"qmp_capabilities\"}");
	cr_expect(read_until(one_more, "return"));
	for (int i = 0; i < SERVER_CLIENTS; i++)
		close(fd[i]);
	close(one_more);
	stop();
}

/* Noise, cut-off commands and ends at any moment hurt nobody else. */
Test(qmp_server, garbage)
{
	static const char text[] = "{\"execute\":\"qmp_capabilities\"}{\"execute\":\"query-status\"}";
	unsigned seed = 1;

	start();
	for (size_t cut = 0; cut < sizeof(text); cut++) {
		int fd = raw_connect();

		cr_assert_eq(send(fd, text, cut, MSG_NOSIGNAL), (ssize_t)cut);
		close(fd);
	}
	for (int i = 0; i < 100; i++) {
		char noise[2000];
		int fd = raw_connect();

		for (size_t n = 0; n < sizeof(noise); n++)
			noise[n] = i % 2 ? rand_r(&seed) : "{}[]\",:\\ \n1ax"[rand_r(&seed) % 14];
		(void)!send(fd, noise, sizeof(noise), MSG_NOSIGNAL);
		if (i % 3)
			shutdown(fd, SHUT_RDWR);
		close(fd);
	}
	expect_service();
	stop();
}

/* Out of descriptors: a connection waits until there are some again, and the rest goes on. */
Test(qmp_server, no_descriptors_left)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	struct connection busy;
	struct rlimit limit, none;
	struct pollfd p;
	json_t *value;
	int next;

	start();
	cr_assert_eq(connection_open(&busy, path, SECONDS * 1000), 0);
	p = (struct pollfd){.fd = socket(AF_UNIX, SOCK_STREAM, 0), .events = POLLIN};
	next = dup(0);
	close(next);
	cr_assert_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	none = (struct rlimit){.rlim_cur = next, .rlim_max = limit.rlim_max};
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
	strcpy(addr.sun_path, path);
	cr_assert_eq(connect(p.fd, (void *)&addr, sizeof(addr)), 0);
	cr_expect_eq(poll(&p, 1, 250), 0, "accepted without a descriptor");
	cr_assert_eq(connection_ask(&busy, "query-status", NULL, &value), 0);
	json_decref(value);
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	cr_expect(read_until(p.fd, "QMP"));
	close(p.fd);
	connection_close(&busy);
	stop();
}

/* --- servers that do not answer: the client's side --- */

/* A socket at `path` whose queue of connections is full. */
static void listen_only(int *ret_fd, struct sockaddr_un *addr)
{
	*addr = (struct sockaddr_un){.sun_family = AF_UNIX};
	strcpy(dir, "/tmp/gnomon-silent-XXXXXX");
	cr_assert(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/socket", dir);
	strcpy(addr->sun_path, path);
	*ret_fd = socket(AF_UNIX, SOCK_STREAM, 0);
	cr_assert(bind(*ret_fd, (void *)addr, sizeof(*addr)) == 0 && listen(*ret_fd, 0) == 0);
}

/* One that accepts nobody any more is given up like one that does not answer. */
Test(qmp_server, full_queue)
{
	struct sockaddr_un addr;
	struct connection c;
	int fd;

	listen_only(&fd, &addr);
	while (connect(socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0), (void *)&addr, sizeof(addr)) == 0)
		;
	cr_expect_eq(connection_open(&c, path, 50), -ETIMEDOUT);
	unlink(path);
	rmdir(dir);
}

static void *greet_only(void *arg)
{
	static const char text[] = "{\"QMP\":{}}{\"return\":{}}";
	const int fd = accept(*(int *)arg, NULL, NULL);

	cr_assert_eq(write(fd, text, sizeof(text) - 1), (ssize_t)sizeof(text) - 1);
	return NULL;
}

/* A deadline ends each wait, however long one alone may take. */
Test(qmp_server, deadline)
{
	struct sockaddr_un addr;
	struct connection c;
	pthread_t thread;
	json_t *value;
	int fd;

	listen_only(&fd, &addr);
	cr_assert_eq(pthread_create(&thread, NULL, greet_only, &fd), 0);
	cr_assert_eq(connection_open(&c, path, SECONDS * 1000), 0);
	c.timeout_ms = -1;
	c.deadline = clock_ms() + 50;
	cr_expect_eq(connection_ask(&c, "query-status", NULL, &value), -ETIMEDOUT);
	cr_expect_eq(connection_ask(&c, "query-status", NULL, &value), -ETIMEDOUT);
	cr_expect_eq(connection_event(&c, -1, &value), -ETIMEDOUT);
	connection_close(&c);
	pthread_join(thread, NULL);
	unlink(path);
	rmdir(dir);
}
