/* SPDX-License-Identifier: MIT */
/*
 * The socket itself: whose it is, what its clients hear of the end, and that nothing they send holds up the guest,
 * other clients or the VMM's memory.
 */
#include <criterion/criterion.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "control_run.h"

/* The guest's end is told, with its reason, and the socket is gone before the process is. */
Test(control, guest_ends)
{
	json_t *event;

	start("nested", "1", "ticks", "ticking\n");
	kill(run.pid, SIGINT);
	cr_assert_eq(connection_event(&client, ANSWER_MS, &event), 0);
	cr_expect_str_eq(json_string_value(json_object_get(event, "event")), "SHUTDOWN");
	cr_expect_str_eq(json_string_value(json_object_get(json_object_get(event, "data"), "reason")), "host-signal");
	cr_expect(json_is_false(json_object_get(json_object_get(event, "data"), "guest")));
	json_decref(event);
	connection_close(&client);
	run_finish(&run);
	cr_expect_eq(run.status, 130);
	cr_expect_eq(access(path, F_OK), -1);
}

/* Two runs at one path: the second is refused with one line, the first goes on. After SIGKILL the path is free. */
Test(control, one_run_a_socket)
{
	static struct run second;
	struct stat st;

	start("nested", "1", "ticks", "ticking\n");
	cr_expect(stat(path, &st) == 0 && (st.st_mode & 07777) == 0600, "mode %o", st.st_mode);
	run_gnomon(&second, "run", "--control", path, guest_path("exit-status-0"));
	expect_refusal(&second, 2, "somebody listens");
	tell("query-status");
	connection_close(&client);
	kill(run.pid, SIGKILL);
	run_finish(&run);
	cr_expect_eq(access(path, F_OK), 0);
	start("nested", "1", "ticks", "ticking\n");
	quit();
}

/* What stands at the path and is no socket stays; a directory that is not there is said. */
Test(control, paths_that_are_refused)
{
	char file[128], below[192];
	FILE *f;

	snprintf(file, sizeof(file), "%s/file", dir);
	f = fopen(file, "w");
	fputs("mine", f);
	fclose(f);
	run_gnomon(&run, "run", "--control", file, guest_path("exit-status-0"));
	expect_refusal(&run, 2, "is no socket");
	cr_expect_eq(access(file, R_OK), 0);
	snprintf(below, sizeof(below), "%s/socket", file);
	run_gnomon(&run, "run", "--control", below, guest_path("exit-status-0"));
	expect_refusal(&run, 1, "Not a directory");
	unlink(file);
	/* A link is no socket, wherever it leads. */
	cr_assert_eq(symlink("nowhere", file), 0);
	run_gnomon(&run, "run", "--control", file, guest_path("exit-status-0"));
	expect_refusal(&run, 2, "is no socket");
	unlink(file);
	run_gnomon(&run, "run", "--control", dir, guest_path("exit-status-0"));
	expect_refusal(&run, 2, "is no socket");
	memset(below, 'n', 108);
	below[108] = 0;
	run_gnomon(&run, "run", "--control", below, guest_path("exit-status-0"));
	expect_refusal(&run, 2, "1 to 107 bytes");
	run_gnomon(&run, "run", "--control", "/nonexistent/socket", guest_path("exit-status-0"));
	expect_refusal(&run, 1, "No such file");
}

/* Somebody's socket of another kind is left alone: it may be in use. */
Test(control, socket_of_another_kind)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	static const int kinds[] = {SOCK_DGRAM, SOCK_SEQPACKET};

	strcpy(addr.sun_path, path);
	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
		const int fd = socket(AF_UNIX, kinds[i] | SOCK_CLOEXEC, 0);

		cr_assert_eq(bind(fd, (void *)&addr, sizeof(addr)), 0);
		run_gnomon(&run, "run", "--control", path, guest_path("exit-status-0"));
		expect_refusal(&run, 2, "is a socket of another kind");
		cr_expect_eq(access(path, F_OK), 0);
		unlink(path);
		close(fd);
	}
}

/* Root stays the owner of /dev/kvm, and may no longer do what it likes with others' files. */
static void no_more_than_others(void)
{
	if (prctl(PR_CAPBSET_DROP, CAP_DAC_OVERRIDE, 0, 0, 0) < 0)
		_exit(253);
}

/* One of another user's that does not let us connect: who listens there cannot be known, and that is said. */
Test(control, socket_of_another_user)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (getuid() != 0)
		cr_skip_test("only root can give files away");
	strcpy(addr.sun_path, path);
	cr_assert_eq(bind(fd, (void *)&addr, sizeof(addr)), 0);
	cr_assert(chmod(path, 0600) == 0 && chown(path, NOBODY, NOBODY) == 0);
	run.surroundings = no_more_than_others;
	run_gnomon(&run, "run", "--control", path, guest_path("exit-status-0"));
	run.surroundings = NULL;
	expect_refusal(&run, 2, "cannot see whether somebody listens at");
	cr_expect_eq(access(path, F_OK), 0);
	unlink(path);
}

/* Garbage, depth, size and connections that come and go: the guest runs on, and others are served. */
Test(control, hostile_clients)
{
	static char big[1 << 20];
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	json_int_t before;
	unsigned seed = 7;

	start("nested", "1", "ticks", "ticking\n");
	strcpy(addr.sun_path, path);
	before = counter("exits");
	for (int i = 0; i < 60; i++) {
		int fd = socket(AF_UNIX, SOCK_STREAM, 0);

		cr_assert_eq(connect(fd, (void *)&addr, sizeof(addr)), 0);
		for (size_t n = 0; n < sizeof(big); n++)
			big[n] = i % 3 == 0 ? '[' : i % 3 == 1 ? 'x' : rand_r(&seed);
		big[0] = i % 3 == 1 ? '"' : big[0];
		/* As much as it takes: one that gets errors and reads none of them is soon left alone. */
		for (size_t at = 0; at < sizeof(big);) {
			ssize_t n = send(fd, big + at, sizeof(big) - at, MSG_NOSIGNAL | MSG_DONTWAIT);

			tell("query-status");
			if (n <= 0)
				break;
			at += n;
		}
		close(fd);
	}
	for (struct limit limit = {0}; counter("exits") == before; usleep(1000))
		cr_assert_not(limit_over(&limit), "the guest does not go on");
	quit();
}

/* Says `begin`, `times` times `middle` (`len` bytes), `end` on the open connection, and expects one error. */
static void expect_one_error(const char *begin, const char *middle, size_t len, int times, const char *end)
{
	json_t *reply = NULL;

	must_work(connection_say(&client, begin, strlen(begin)), begin);
	for (int i = 0; i < times; i++)
		must_work(connection_say(&client, middle, len), begin);
	must_work(connection_say(&client, end, strlen(end)), end);
	must_work(connection_reply(&client, &reply), end);
	cr_expect(json_object_get(reply, "error"), "%s", begin);
	json_decref(reply);
	tell("query-status"); /* its answer is the next: there was one error, and the connection lives */
}

/* Requests of 100 MB (a name), 10 MB (a number) and of 10,000 levels are one error each; the connection and the guest
 * go on, and nothing of them stays. */
Test(control, requests_beyond_all_bounds)
{
	static char chunk[1 << 20], brackets[10000];
	char file[64], text[4096] = "";
	FILE *f;

	memset(chunk, 'x', sizeof(chunk));
	start("nested", "1", "ticks", "ticking\n");
	expect_one_error("{\"execute\":\"", chunk, sizeof(chunk), 100, "\"}");
	memset(chunk, '1', sizeof(chunk));
	expect_one_error("{\"execute\":\"balloon\",\"arguments\":{\"value\":", chunk, sizeof(chunk), 10, "}}");
	memset(brackets, '[', sizeof(brackets));
	memset(chunk, ']', sizeof(brackets));
	chunk[sizeof(brackets)] = 0;
	expect_one_error("", brackets, sizeof(brackets), 1, chunk);
	snprintf(file, sizeof(file), "/proc/%d/status", run.pid);
	f = fopen(file, "r");
	cr_assert(f);
	text[fread(text, 1, sizeof(text) - 1, f)] = 0;
	fclose(f);
	cr_expect(strstr(text, "VmHWM:"));
	cr_expect_lt(strtoull(strstr(text, "VmHWM:") + 6, NULL, 10), 64u << 10, "kB: %s", text);
	quit();
}
