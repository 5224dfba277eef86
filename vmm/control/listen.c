/* SPDX-License-Identifier: MIT */
#include "control/listen.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define BACKLOG       16
#define LOCK_ATTEMPTS 200 /* a hundredth of a second each */

/* 0: nobody listens at the address. -EADDRINUSE or another -errno, logged. */
static int check_nobody_listens(const struct sockaddr_un *addr)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), error;

	if (fd < 0)
		return log_errno(errno, "socket");
	error = connect(fd, (const struct sockaddr *)addr, sizeof(*addr)) < 0 ? errno : 0;
	close(fd);
	if (error == ECONNREFUSED || error == ENOENT)
		return 0;
	if (error == 0 || error == EAGAIN) /* a full backlog: somebody made it */
		log_error("--control: somebody listens at %s already", addr->sun_path);
	else if (error == EPROTOTYPE)
		log_error("--control: %s is a socket of another kind (datagrams, packets), and somebody has it open",
		          addr->sun_path);
	else
		log_errno(error, "--control: cannot see whether somebody listens at %s", addr->sun_path);
	return -EADDRINUSE;
}

/* What stands in the way at the path: removed if it is a socket without a listener. -errno, logged. */
static int clear_path(const struct sockaddr_un *addr)
{
	struct stat st;
	int r;

	if (lstat(addr->sun_path, &st) < 0)
		return errno == ENOENT ? 0 : log_errno(errno, "cannot look at %s", addr->sun_path);
	if (!S_ISSOCK(st.st_mode)) {
		log_error("--control: %s exists and is no socket", addr->sun_path);
		return -EEXIST;
	}
	r = check_nobody_listens(addr);
	if (r < 0)
		return r;
	if (unlink(addr->sun_path) < 0 && errno != ENOENT)
		return log_errno(errno, "cannot remove the stale socket %s", addr->sun_path);
	return 0;
}

static int bind_and_listen(struct listener *l)
{
	struct stat st;
	int r = clear_path(&l->addr);

	if (r < 0)
		return r;
	/* bind(2) gives the file the mode of the socket's own inode, less the umask: never a moment with more. */
	if (fchmod(l->fd, 0600) < 0 || bind(l->fd, (const struct sockaddr *)&l->addr, sizeof(l->addr)) < 0)
		return log_errno(errno, "cannot make the socket %s", l->addr.sun_path);
	if (lstat(l->addr.sun_path, &st) < 0 || listen(l->fd, BACKLOG) < 0) {
		r = log_errno(errno, "cannot listen at %s", l->addr.sun_path);
		unlink(l->addr.sun_path);
		return r;
	}
	l->dev = st.st_dev;
	l->ino = st.st_ino;
	return 0;
}

/*
 * Two that start at once could both find a stale socket, and the second would remove what the first just made. So the
 * directory is locked meanwhile; a lock file would stay behind. Returns its fd, to be closed; -ENOLCK where there is no
 * such lock (a file system of the network, a directory that may not be read): then one has to do without. Other
 * -errno, logged.
 */
static int lock_directory(const char *path)
{
	const struct timespec pause = {.tv_nsec = 10000000};
	char copy[sizeof(((struct sockaddr_un *)NULL)->sun_path)];
	int fd;

	strcpy(copy, path); /* as long as sun_path at most; dirname(3) writes */
	fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -ENOLCK; /* bind(2) says it if it matters */
	for (int i = 0; flock(fd, LOCK_EX | LOCK_NB) < 0; i++) {
		const int error = errno;

		if (error != EWOULDBLOCK && error != EINTR) {
			close(fd);
			return -ENOLCK;
		}
		if (i == LOCK_ATTEMPTS) {
			log_error("--control: the directory of %s stays locked by somebody", path);
			close(fd);
			return -EBUSY;
		}
		nanosleep(&pause, NULL);
	}
	return fd;
}

int listener_open(struct listener *l, const char *path)
{
	int lock, r;

	*l = (struct listener){.fd = -1, .addr.sun_family = AF_UNIX};
	if (!*path || strlen(path) >= sizeof(l->addr.sun_path)) {
		log_error("--control: a socket's path has 1 to %zu bytes", sizeof(l->addr.sun_path) - 1);
		return -ENAMETOOLONG;
	}
	strcpy(l->addr.sun_path, path);
	lock = lock_directory(path);
	if (lock < 0 && lock != -ENOLCK)
		return lock;
	l->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	r = l->fd < 0 ? log_errno(errno, "socket") : bind_and_listen(l);
	if (lock >= 0)
		close(lock);
	if (r < 0 && l->fd >= 0)
		close(l->fd);
	return r;
}

void listener_close(struct listener *l)
{
	struct stat st;

	if (lstat(l->addr.sun_path, &st) == 0 && st.st_dev == l->dev && st.st_ino == l->ino)
		unlink(l->addr.sun_path);
	close(l->fd);
}

int listener_accept(struct listener *l)
{
	struct ucred peer;
	socklen_t len = sizeof(peer);
	int fd = accept4(l->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd < 0)
		return -errno;
	/* The mode keeps others out already, unless somebody changed it or the directory is shared in some other way.
	 */
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0 || (peer.uid != geteuid() && peer.uid != 0)) {
		close(fd);
		return -EACCES;
	}
	return fd;
}
