/* SPDX-License-Identifier: MIT */
#include "bench/workload/socket_guest.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/child_parts.h"

#define START_MS 20000 /* for the guest to open its socket */
#define POLL_MS  5

int socket_place_make(struct socket_place *ret_place)
{
	const char *tmp = getenv("TMPDIR");
	struct socket_place p;

	if (snprintf(p.dir, sizeof(p.dir), "%s/gnomon-bench-XXXXXX", tmp && *tmp ? tmp : "/tmp") >= (int)sizeof(p.dir))
		return -ENAMETOOLONG;
	if (!mkdtemp(p.dir))
		return -errno;
	snprintf(p.path, sizeof(p.path), "%s/control", p.dir);
	*ret_place = p;
	return 0;
}

void socket_place_remove(const struct socket_place *place)
{
	unlink(place->path);
	rmdir(place->dir);
}

pid_t socket_guest_start(const char *const *argv, int out)
{
	const int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	const pid_t parent = getpid();
	pid_t pid;

	if (null < 0)
		return log_errno(errno, "/dev/null");
	pid = vfork();
	if (pid == 0) {
		if (child_begin(parent, null, out < 0 ? null : out, STDERR_FILENO) == 0)
			execv(argv[0], (char *const *)(uintptr_t)argv);
		_exit(127);
	}
	close(null);
	return pid < 0 ? log_errno(errno, "cannot start a guest") : pid;
}

/* True when somebody listens there. */
static bool is_open(const char *path)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool open;

	strncpy(addr.sun_path, path, sizeof(addr.sun_path) - 1);
	open = fd >= 0 && connect(fd, (const struct sockaddr *)&addr, sizeof(addr)) == 0;
	if (fd >= 0)
		close(fd);
	return open;
}

int socket_guest_wait(pid_t guest, const char *path)
{
	const double deadline = child_clock_ms() + START_MS;

	while (!is_open(path)) {
		if (waitpid(guest, NULL, WNOHANG) == guest) {
			log_error("the guest ended before it opened its control socket");
			return -ECHILD;
		}
		if (child_clock_ms() > deadline) {
			log_error("the guest did not open its control socket in time");
			return -ETIMEDOUT;
		}
		poll(NULL, 0, POLL_MS);
	}
	return 0;
}
