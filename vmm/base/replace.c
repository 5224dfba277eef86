/* SPDX-License-Identifier: MIT */
#include "base/replace.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/outfile_attrs.h"

#define TRIES  100 /* names beside; others may have them */
#define BESIDE ".gnomon-new-"

/* One that takes a file's place gets its rights once it is the owner's. */
static mode_t mode_of(const struct outfile_place *p)
{
	return p->exists ? 0600 : 0666;
}

/* --- names beside: the same for all processes, so that each comes upon what one that was killed has left there --- */

static void name_beside(int nr, char ret_name[NAME_MAX + 1])
{
	snprintf(ret_name, NAME_MAX + 1, BESIDE "%d", nr);
}

static bool has_name(int fd, int dir, const char *name)
{
	struct stat st, there;

	return fstat(fd, &st) == 0 && fstatat(dir, name, &there, AT_SYMLINK_NOFOLLOW) == 0 &&
	       outfile_is_one(&st, &there);
}

/* Locked as long as anybody has it open to write it: the kernel ends that with the last process. */
static bool lock(int fd)
{
	return flock(fd, LOCK_EX | LOCK_NB) == 0;
}

/* True: the name was that of a file which nobody writes any more, and is free now. */
static bool remove_left(int dir, const char *name)
{
	const int fd = openat(dir, name, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	struct stat st;
	bool removed;

	if (fd < 0)
		return false;
	removed = fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && lock(fd) && has_name(fd, dir, name) &&
	          unlinkat(dir, name, 0) == 0;
	close(fd);
	return removed;
}

/* Gives the open file a name beside its place, or makes one that has it. `make` returns 0 or a descriptor, or -errno. */
static int with_name(struct replace *r, int (*make)(struct replace *r))
{
	int done = -EEXIST;

	for (int try = 0; done == -EEXIST && try < TRIES; try++) {
		name_beside(try, r->name);
		done = make(r);
		if (done == -EEXIST && remove_left(r->place.dir, r->name))
			done = make(r);
	}
	if (done < 0)
		*r->name = 0;
	return done;
}

static int make_named(struct replace *r)
{
	const int fd = openat(r->place.dir, r->name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, mode_of(&r->place));

	if (fd < 0)
		return -errno;
	/* Until it is locked it looks like one that was left. */
	if ((lock(fd) || errno != EWOULDBLOCK) && has_name(fd, r->place.dir, r->name))
		return fd;
	close(fd);
	return -EEXIST;
}

/* --- the file --- */

static int link_open(struct replace *r)
{
	char self[32];

	snprintf(self, sizeof(self), "/proc/self/fd/%d", r->fd);
	return linkat(AT_FDCWD, self, r->place.dir, r->name, AT_SYMLINK_FOLLOW) < 0 ? -errno : 0;
}

static int open_new(struct replace *r)
{
	*r->name = 0;
	if (access("/proc/self/fd", X_OK) == 0) /* by which it gets its name: link_open() */
		r->fd = openat(r->place.dir, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, mode_of(&r->place));
	if (r->fd >= 0)
		(void)lock(r->fd); /* where there are no locks nothing is taken for one that was left */
	else                       /* some file systems have no files without a name */
		r->fd = with_name(r, make_named);
	if (r->fd < 0)
		return r->fd;
	return r->place.exists ? outfile_make_alike(&r->place, r->fd) : 0;
}

int replace_begin(const char *path, struct replace *ret)
{
	int r = outfile_find(path, &ret->place);

	if (r < 0)
		return r;
	ret->fd = -1;
	*ret->name = 0;
	if (ret->place.descriptor >= 0 || ret->place.proc || (ret->place.exists && !S_ISREG(ret->place.st.st_mode)))
		r = -EEXIST;
	else if (strncmp(ret->place.name, BESIDE, strlen(BESIDE)) == 0)
		r = -EINVAL; /* the next one would remove it */
	if (r == 0)
		r = open_new(ret);
	if (r < 0)
		replace_abandon(ret);
	return r;
}

/* So that the new name is there after a power cut, too. */
static int sync_directory(int place_dir)
{
	const int dir = openat(place_dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int r = 0;

	if (dir < 0)
		return errno == EACCES ? 0 : -errno; /* a directory that may be written and not read */
	if (fsync(dir) < 0 && errno != EINVAL)
		r = -errno;
	close(dir);
	return r;
}

int replace_commit(struct replace *r)
{
	int done = fsync(r->fd) < 0 && errno != EINVAL ? -errno : 0;

	if (done == 0 && !*r->name)
		done = with_name(r, link_open);
	if (done == 0 && renameat(r->place.dir, r->name, r->place.dir, r->place.name) < 0)
		done = -errno;
	if (done == 0) {
		*r->name = 0;
		done = sync_directory(r->place.dir);
	}
	replace_abandon(r);
	return done;
}

/* A child that was killed may have given it a name that this process does not know of. */
static void remove_names(const struct replace *r)
{
	char name[NAME_MAX + 1];

	for (int nr = 0; nr < TRIES; nr++) {
		name_beside(nr, name);
		if (has_name(r->fd, r->place.dir, name))
			unlinkat(r->place.dir, name, 0);
	}
}

void replace_abandon(struct replace *r)
{
	struct stat st;

	if (r->fd >= 0 && fstat(r->fd, &st) == 0 && st.st_nlink)
		remove_names(r);
	if (r->fd >= 0)
		close(r->fd);
	outfile_leave(&r->place);
	r->fd = -1;
	*r->name = 0;
}
