/* SPDX-License-Identifier: MIT */
/*
 * The ports of tools/ept-host from inside of the machine.
 *
 *   inside save           the machine's state is saved; after it was loaded the program goes on, with status 0
 *   inside files          prints the archive of files, with signs of life
 *   inside say            prints stdin on the host's stderr
 *   inside run CMD ARG... runs it; its output and status go to the host, and the machine goes off
 */
#include <errno.h>
#include <fcntl.h>
#include <gnomon/walk_counter.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/io.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bochs.h"

#define BEAT_MS   1000
#define CLOSED_MS 10 /* nothing will wake us when the command ends */

static char buf[65536];

static int print_files(void)
{
	uint32_t left = inl(EPT_PORT_FILES);

	while (left) {
		const uint32_t n = left < sizeof(buf) ? left : sizeof(buf);

		insl(EPT_PORT_FILES, buf, (n + 3) / 4);
		outb('.', EPT_PORT_BEAT);
		if (fwrite(buf, 1, n, stdout) != n)
			return 1;
		left -= n;
	}
	return fflush(stdout) ? 1 : 0;
}

/* What can be read now goes to the port. 0 at its end. */
static ssize_t relay(int fd, int port)
{
	const ssize_t n = read(fd, buf, sizeof(buf));

	if (n > 0)
		outsb(port, buf, n);
	return n;
}

static int say(void)
{
	while (relay(STDIN_FILENO, EPT_PORT_STDERR) > 0)
		;
	return 0;
}

/* Starts the command with its output in pipes. */
static pid_t start(char **argv, struct pollfd *from)
{
	int out[2], err[2];
	pid_t pid;

	if (pipe(out) < 0 || pipe(err) < 0)
		return -1;
	pid = fork();
	if (pid == 0) {
		dup2(out[1], STDOUT_FILENO);
		dup2(err[1], STDERR_FILENO);
		for (int fd = STDERR_FILENO + 1; fd < 16; fd++)
			close(fd);
		iopl(0);
		execvp(*argv, argv);
		_exit(127);
	}
	close(out[1]);
	close(err[1]);
	from[0] = (struct pollfd){.fd = out[0], .events = POLLIN};
	from[1] = (struct pollfd){.fd = err[0], .events = POLLIN};
	return pid;
}

static void relay_what_is_there(struct pollfd *from)
{
	static const int port[2] = {EPT_PORT_STDOUT, EPT_PORT_STDERR};

	for (int i = 0; i < 2; i++)
		if (from[i].revents && relay(from[i].fd, port[i]) <= 0)
			from[i].fd = -1;
}

/* Until the command has ended and the pipes are empty; who holds them open still is not waited for. */
static int run(char **argv)
{
	struct pollfd from[2];
	const pid_t pid = start(argv, from);
	bool ended = false;
	int status = 0;

	if (pid < 0)
		return 125;
	for (;;) {
		const bool closed = from[0].fd < 0 && from[1].fd < 0;
		const int n = poll(from, 2, ended ? 0 : closed ? CLOSED_MS : BEAT_MS);

		if (n > 0)
			relay_what_is_there(from);
		if (n <= 0 && ended)
			break;
		outb('.', EPT_PORT_BEAT);
		if (!ended && waitpid(pid, &status, WNOHANG) == pid)
			ended = true;
	}
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

int main(int argc, char **argv)
{
	if (argc < 2 || iopl(3) < 0)
		return 125;
	if (strcmp(argv[1], "save") == 0) {
		walk_hint(WALK_MARK_SAVE);
		return 0;
	}
	walk_hint(EPT_MARK_PORTS);
	if (strcmp(argv[1], "files") == 0)
		return print_files();
	if (strcmp(argv[1], "say") == 0)
		return say();
	if (argc > 2 && strcmp(argv[1], "run") == 0)
		outb(run(argv + 2), EPT_PORT_STATUS);
	return 125;
}
