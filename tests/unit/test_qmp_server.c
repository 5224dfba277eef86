/* SPDX-License-Identifier: MIT */
/* The control server's socket: who may connect, and what stays behind. What clients do: test_qmp_server_clients.c. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "qmp_server_run.h"

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

	cr_assert_eq(open_server(&server, path), 0);
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

	cr_assert_eq(open_server(&server, path), 0);
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
	cr_expect_eq(open_server(&second, path), -EADDRINUSE);
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
	cr_expect_eq(open_server(&server, path), -EEXIST);
	cr_expect(stat(path, &st) == 0 && S_ISREG(st.st_mode) && st.st_size == 1);
	unlink(path);
	cr_assert_eq(symlink("nowhere", path), 0);
	cr_expect_eq(open_server(&server, path), -EEXIST);
	cr_expect(lstat(path, &st) == 0 && S_ISLNK(st.st_mode));
}

Test(qmp_server, refuses_impossible_paths)
{
	char longest[200];

	memset(longest, 'x', sizeof(longest));
	longest[sizeof(longest) - 1] = 0;
	cr_expect_eq(open_server(&server, longest), -ENAMETOOLONG);
	cr_expect_eq(open_server(&server, ""), -ENAMETOOLONG);
	cr_expect_eq(open_server(&server, "/nonexistent/x"), -ENOENT);
	cr_expect_eq(open_server(&server, dir), -EEXIST);
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
			r = open_server(&server, path);
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
