/* SPDX-License-Identifier: MIT */
/*
 * The control server at a real socket, with a VM made of a few variables: who may connect, what stays behind, and
 * that one client, whatever it does, costs the others nothing.
 */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "client/connection.h"
#include "control/server.h"
#include "fake_vm.h"

#define SECONDS 20 /* against hangs; no statement about speed */

static struct fake_vm vm;
static struct server server;
static char dir[64], path[96];

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

static void start(void)
{
	cr_assert_eq(server_open(&server, path, &fake_ops, &vm), 0);
	cr_assert_eq(server_run(&server), 0);
}

static void stop(void)
{
	server_stop(&server, false, "host-qmp-quit");
	cr_expect_eq(access(path, F_OK), -1, "the socket was left");
}

static int raw_connect(void)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	strcpy(addr.sun_path, path);
	cr_assert_eq(connect(fd, (void *)&addr, sizeof(addr)), 0);
	return fd;
}

/* Takes what comes until `text` was seen; false at the end of the stream. */
static bool read_until(int fd, const char *text)
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

static void say(int fd, const char *text)
{
	cr_assert_eq(send(fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

/* A well-behaved client gets its answer now. */
static void expect_service(void)
{
	struct connection c;
	json_t *value = NULL;

	cr_assert_eq(connection_open(&c, path, SECONDS * 1000), 0);
	cr_assert_eq(connection_ask(&c, "query-status", NULL, &value), 0);
	cr_expect_str_eq(json_string_value(json_object_get(value, "status")), "running");
	json_decref(value);
	connection_close(&c);
}

/* The socket is its user's alone, from the first moment, and is gone afterwards. */
Test(qmp_server, mode_and_end)
{
	struct stat st;

	umask(0);
	start();
	cr_assert_eq(stat(path, &st), 0);
	cr_expect_eq(st.st_mode, (mode_t)(S_IFSOCK | 0600), "mode %o", st.st_mode);
	expect_service();
	stop();
}

/* Who connects before there is a guest to command waits, and is served then. */
Test(qmp_server, early_client_waits)
{
	struct pollfd p = {.events = POLLIN};

	cr_assert_eq(server_open(&server, path, &fake_ops, &vm), 0);
	p.fd = raw_connect();
	say(p.fd, "{\"execute\": \"qmp_capabilities\"}{\"execute\": \"query-status\"}");
	cr_expect_eq(poll(&p, 1, 50), 0, "something came from a server that does not run");
	cr_assert_eq(server_run(&server), 0);
	cr_expect(read_until(p.fd, "\"running\": true"));
	close(p.fd);
	stop();
}

/* There never was a guest: the socket goes, and who waited there hears of it. */
Test(qmp_server, ends_before_it_ran)
{
	char c;
	int fd;

	cr_assert_eq(server_open(&server, path, &fake_ops, &vm), 0);
	fd = raw_connect();
	stop();
	cr_expect_leq(read(fd, &c, 1), 0);
	close(fd);
}

/* Left by a process that was killed: replaced. */
Test(qmp_server, replaces_stale_socket)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	strcpy(addr.sun_path, path);
	cr_assert_eq(bind(fd, (void *)&addr, sizeof(addr)), 0);
	close(fd);
	cr_assert_eq(access(path, F_OK), 0);
	start();
	expect_service();
	stop();
}

/* Somebody listens there: refused, and that one is left in peace. */
Test(qmp_server, leaves_living_socket)
{
	static struct server second;

	start();
	cr_expect_eq(server_open(&second, path, &fake_ops, &vm), -EADDRINUSE);
	expect_service();
	stop();
}

/* Anything but a socket stays what it is, a link to a socket too. */
Test(qmp_server, never_removes_other_files)
{
	struct stat st;
	int fd = open(path, O_CREAT | O_WRONLY, 0644);

	cr_assert_eq(write(fd, "x", 1), 1);
	close(fd);
	cr_expect_eq(server_open(&server, path, &fake_ops, &vm), -EEXIST);
	cr_expect(stat(path, &st) == 0 && S_ISREG(st.st_mode) && st.st_size == 1);
	unlink(path);
	cr_assert_eq(symlink("nowhere", path), 0);
	cr_expect_eq(server_open(&server, path, &fake_ops, &vm), -EEXIST);
	cr_expect(lstat(path, &st) == 0 && S_ISLNK(st.st_mode));
}

Test(qmp_server, refuses_impossible_paths)
{
	char longest[200];

	memset(longest, 'x', sizeof(longest));
	longest[sizeof(longest) - 1] = 0;
	cr_expect_eq(server_open(&server, longest, &fake_ops, &vm), -ENAMETOOLONG);
	cr_expect_eq(server_open(&server, "", &fake_ops, &vm), -ENAMETOOLONG);
	cr_expect_eq(server_open(&server, "/nonexistent/x", &fake_ops, &vm), -ENOENT);
	cr_expect_eq(server_open(&server, dir, &fake_ops, &vm), -EEXIST);
}

/* Another one's socket that took our place meanwhile is not ours to remove. */
Test(qmp_server, removes_only_its_own)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	start();
	unlink(path);
	strcpy(addr.sun_path, path);
	cr_assert_eq(bind(fd, (void *)&addr, sizeof(addr)), 0);
	server_stop(&server, false, "host-signal");
	cr_expect_eq(access(path, F_OK), 0);
	close(fd);
}

/* Eight that start at once on a stale socket: one gets it, and it works. */
Test(qmp_server, one_of_many_wins)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0), won = 0, go[2], done[2];
	pid_t child[8];

	strcpy(addr.sun_path, path);
	cr_assert_eq(bind(fd, (void *)&addr, sizeof(addr)), 0);
	close(fd);
	cr_assert_eq(pipe(go) + pipe(done), 0);
	for (int i = 0; i < 8; i++) {
		child[i] = fork();
		if (child[i] == 0) {
			char c;
			int r;

			close(go[1]);
			(void)!read(go[0], &c, 1);
			r = server_open(&server, path, &fake_ops, &vm);
			r = r == 0 ? server_run(&server) : r;
			(void)!write(done[1], r == 0 ? "y" : "n", 1);
			while (r == 0)
				pause();
			_exit(0);
		}
	}
	close(go[0]);
	close(go[1]);
	for (int i = 0; i < 8; i++) {
		char c;

		cr_assert_eq(read(done[0], &c, 1), 1);
		won += c == 'y';
	}
	cr_expect_eq(won, 1, "%d of 8 got it", won);
	expect_service();
	for (int i = 0; i < 8; i++) {
		kill(child[i], SIGKILL);
		waitpid(child[i], NULL, 0);
	}
}

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
	for (int i = 0; i < 100; i++) { /* it hears of the end in its own time */
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
