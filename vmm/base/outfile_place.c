/* SPDX-License-Identifier: MIT */
#include "base/outfile_place.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/clock.h"

#define RETRY_MS  10
#define MAX_LINKS 40 /* as the kernel has it */

/* Symbolic links in procfs are not what they read like: "pipe:[4711]". */
static bool is_proc(int dir)
{
	struct statfs fs;

	return fstatfs(dir, &fs) == 0 && fs.f_type == PROC_SUPER_MAGIC;
}

static bool is_own_descriptors(int dir)
{
	static const char *const names[] = {"/proc/self/fd", "/proc/thread-self/fd"};
	struct stat own, st;

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (stat(names[i], &own) == 0 && fstat(dir, &st) == 0 && outfile_is_one(&own, &st))
			return true;
	return false;
}

/* Which of the process's two outputs goes to this file; -1: neither. By any name, it is not to be replaced. */
static int output_to(const struct stat *file)
{
	struct stat st;

	for (int fd = STDOUT_FILENO; S_ISREG(file->st_mode) && fd <= STDERR_FILENO; fd++)
		if (fstat(fd, &st) == 0 && outfile_is_one(&st, file))
			return fd;
	return -1;
}

/* Goes from place->dir to the directory in `path`, and splits the name off. */
static int enter(struct outfile_place *place, const char *path)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
	char dir[PATH_MAX] = ".";
	int fd;

	if (!*path)
		return -ENOENT;
	if (strlen(name) > NAME_MAX)
		return -ENAMETOOLONG;
	if (slash) {
		memcpy(dir, path, slash - path);
		strcpy(dir + (slash - path), slash == path ? "/" : "");
	}
	fd = openat(place->dir, dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	outfile_leave(place);
	place->dir = fd;
	if (!*name || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return -EISDIR;
	strcpy(place->name, name);
	return 0;
}

/* 1: the name is a symbolic link, to `ret_path`; 0: it is none. */
static int read_link(struct outfile_place *place, char ret_path[PATH_MAX])
{
	struct stat st;
	ssize_t n;

	place->proc = is_proc(place->dir);
	if (place->proc) {
		char *end;
		const long fd = strtol(place->name, &end, 10);

		if (*end == 0 && fd <= INT_MAX && is_own_descriptors(place->dir))
			place->descriptor = (int)fd;
		return 0;
	}
	n = readlinkat(place->dir, place->name, ret_path, PATH_MAX);
	if (n < 0)
		return errno == EINVAL || errno == ENOENT ? 0 : -errno;
	if (n == PATH_MAX)
		return -ENAMETOOLONG;
	/* The kernel may forbid to follow it: somebody else's link in /tmp (fs.protected_symlinks). */
	if (fstatat(place->dir, place->name, &st, 0) < 0 && errno != ENOENT)
		return -errno;
	ret_path[n] = 0;
	return 1;
}

/* Where /proc is missing, the names of descriptors lead nowhere and still mean them. -1: it is no such name. */
static int named_descriptor(const char *path)
{
	static const char *const dirs[] = {"/proc/self/fd/", "/proc/thread-self/fd/", "/dev/fd/"};
	static const char *const outputs[] = {"/dev/stdout", "/dev/stderr"};

	if (access("/proc/self/fd", F_OK) == 0)
		return -1;
	for (int i = 0; i < 2; i++)
		if (strcmp(path, outputs[i]) == 0)
			return STDOUT_FILENO + i;
	for (size_t i = 0; i < sizeof(dirs) / sizeof(*dirs); i++) {
		const size_t len = strlen(dirs[i]);
		char *end;
		long fd;

		if (strncmp(path, dirs[i], len) != 0 || path[len] < '0' || path[len] > '9')
			continue;
		fd = strtol(path + len, &end, 10);
		return *end == 0 && fd <= INT_MAX ? (int)fd : -1;
	}
	return -1;
}

int outfile_find(const char *path, struct outfile_place *ret)
{
	struct outfile_place place = {.descriptor = named_descriptor(path), .dir = AT_FDCWD};
	char now[PATH_MAX];
	int r = -ENAMETOOLONG;

	if (place.descriptor >= 0) {
		r = 0;
	} else if (strlen(path) < sizeof(now)) {
		strcpy(now, path);
		r = 1;
	}
	for (int links = 0; r == 1; links++) {
		r = enter(&place, now);
		if (r == 0)
			r = links < MAX_LINKS ? read_link(&place, now) : -ELOOP;
	}
	if (r == 0 && place.descriptor < 0) {
		place.exists = fstatat(place.dir, place.name, &place.st, place.proc ? 0 : AT_SYMLINK_NOFOLLOW) == 0;
		if (!place.exists && errno != ENOENT)
			r = -errno;
		if (place.exists)
			place.descriptor = output_to(&place.st);
	}
	if (r < 0)
		outfile_leave(&place);
	else
		*ret = place;
	return r;
}

void outfile_leave(struct outfile_place *place)
{
	if (place->dir >= 0)
		close(place->dir);
	place->dir = AT_FDCWD;
}

int outfile_open_device(const struct outfile_place *p, int coming_ms, int give_up_fd)
{
	struct pollfd end = {.fd = give_up_fd, .events = POLLIN};
	const int64_t limit = clock_ms() + coming_ms;

	for (;;) {
		int fd = openat(p->dir, p->name, OUTFILE_FLAGS | O_NONBLOCK, 0666);

		if (fd >= 0 || errno != ENXIO || !S_ISFIFO(p->st.st_mode))
			return fd < 0 ? -errno : fd;
		if (coming_ms >= 0 && clock_ms() > limit)
			return -ETIMEDOUT;
		if (poll(&end, 1, RETRY_MS) > 0)
			return -ECANCELED;
	}
}
