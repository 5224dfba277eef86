/* SPDX-License-Identifier: MIT */
#include "base/replace.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/outfile_attrs.h"

#define TRIES 100 /* names beside; others may have left some behind */

/* One that takes a file's place gets its rights once it is the owner's. */
static mode_t mode_of(const struct outfile_place *p)
{
	return p->exists ? 0600 : 0666;
}

/* Gives the open file a name beside its place, or makes one that has it. `make` returns 0 or a descriptor, or -errno. */
static int with_name(struct replace *r, int (*make)(struct replace *r))
{
	int done = -EEXIST;

	for (int try = 0; done == -EEXIST && try < TRIES; try++) {
		snprintf(r->name, sizeof(r->name), ".gnomon-%d-s%d", (int)getpid(), try);
		done = make(r);
	}
	if (done < 0)
		*r->name = 0;
	return done;
}

static int make_named(struct replace *r)
{
	const int fd = openat(r->place.dir, r->name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, mode_of(&r->place));

	return fd < 0 ? -errno : fd;
}

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
	if (r->fd < 0) /* some file systems have no files without a name */
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

void replace_abandon(struct replace *r)
{
	if (*r->name)
		unlinkat(r->place.dir, r->name, 0);
	if (r->fd >= 0)
		close(r->fd);
	outfile_leave(&r->place);
	r->fd = -1;
	*r->name = 0;
}
