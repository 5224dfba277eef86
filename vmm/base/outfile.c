/* SPDX-License-Identifier: MIT */
#include "base/outfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/outfile_attrs.h"
#include "base/outfile_place.h"
#include "base/patience.h"
#include "base/process.h"

#define COMING_MS 500  /* how long a FIFO waits for a reader to come */
#define READER_MS 1000 /* and for one that sleeps */
#define TRIES     100 /* names beside; others may have left some behind */

/* How a place is written. */
enum way { AS_DESCRIPTOR, AS_DEVICE, IN_PLACE, BESIDE };

static enum way way_of(const struct outfile_place *p)
{
	if (p->descriptor >= 0)
		return AS_DESCRIPTOR;
	if (!p->exists)
		return BESIDE;
	if (p->proc || !S_ISREG(p->st.st_mode))
		return AS_DEVICE;
	return p->st.st_nlink > 1 ? IN_PLACE : BESIDE;
}

/* --- before the work --- */

static int check_descriptor(int fd)
{
	const int flags = fcntl(fd, F_GETFL);

	return flags < 0 || flags & O_PATH || (flags & O_ACCMODE) == O_RDONLY ? -EBADF : 0;
}

/* What opening and closing would tell, and a FIFO's reader would take for the end. */
static int check_device(const struct outfile_place *p)
{
	if (S_ISDIR(p->st.st_mode))
		return -EISDIR;
	if (S_ISSOCK(p->st.st_mode))
		return -ENXIO;
	return faccessat(p->dir, p->name, W_OK, AT_EACCESS) < 0 ? -errno : 0;
}

/* What is made there can be neither renamed nor removed. */
static bool only_grows(int dir)
{
	struct statx st;

	return statx(dir, "", AT_EMPTY_PATH, 0, &st) == 0 && st.stx_attributes & STATX_ATTR_APPEND;
}

static int make(int dir, const char *name, mode_t mode)
{
	int fd;

	if (only_grows(dir))
		return -EPERM;
	fd = openat(dir, name, OUTFILE_FLAGS | O_EXCL, mode);
	return fd < 0 ? -errno : fd;
}

/* A new file, its name in ret_name. */
static int make_beside(int dir, mode_t mode, char ret_name[NAME_MAX + 1])
{
	int fd = -EEXIST;

	for (int try = 0; fd == -EEXIST && try < TRIES; try++) {
		snprintf(ret_name, NAME_MAX + 1, ".gnomon-%d-%d", (int)getpid(), try);
		fd = make(dir, ret_name, mode);
	}
	return fd;
}

/* Room for so much; a file system that cannot say has it. */
static int reserve(int fd, size_t len)
{
	if (fallocate(fd, 0, 0, (off_t)len) == 0 || errno == EOPNOTSUPP || errno == ENOSYS || errno == EINVAL)
		return 0;
	return -errno;
}

/* Whether a file can be made and has room; under its own name, which may not please the file system, or beside. */
static int probe(const struct outfile_place *p, size_t room)
{
	char beside[NAME_MAX + 1];
	int fd = p->exists ? make_beside(p->dir, 0600, beside) : make(p->dir, p->name, 0600), r;

	if (fd < 0)
		return fd;
	r = reserve(fd, room);
	close(fd);
	unlinkat(p->dir, p->exists ? beside : p->name, 0);
	return r;
}

/* Whether the file itself may be written though its directory takes no other: a mount point, a directory of others. */
static bool only_in_place(const struct outfile_place *p, int r)
{
	return p->exists && (r == -EACCES || r == -EPERM || r == -EROFS || r == -EBUSY || r == -EXDEV);
}

static int look_at_regular(const struct outfile_place *p, size_t room)
{
	int fd, r;

	if (!p->exists)
		return probe(p, room);
	fd = openat(p->dir, p->name, OUTFILE_FLAGS | O_NOFOLLOW, 0666);
	if (fd < 0)
		return -errno;
	close(fd);
	if (way_of(p) == IN_PLACE)
		return 0;
	r = probe(p, room);
	return only_in_place(p, r) ? 0 : r;
}

static int check_regular(const struct outfile_place *p, size_t room)
{
	sigset_t before;
	int r;

	process_hold_signals(&before); /* what probe() makes goes again */
	r = look_at_regular(p, room);
	process_let_signals(&before);
	return r;
}

static int check(const struct outfile_place *p, size_t room)
{
	switch (way_of(p)) {
	case AS_DESCRIPTOR:
		return check_descriptor(p->descriptor);
	case AS_DEVICE:
		return check_device(p);
	default:
		return check_regular(p, room);
	}
}

/* --- at its end --- */

static int write_device(const struct outfile_place *p, const char *text, size_t len, const struct patience *patience)
{
	int fd = outfile_open_device(p, COMING_MS, patience->give_up_fd), r;

	if (fd < 0)
		return fd;
	r = patience_write(patience, fd, text, len);
	if (close(fd) < 0 && r == 0)
		r = -errno;
	return r;
}

/* All of it into an open file, from its beginning. */
static int fill(int fd, const char *text, size_t len)
{
	static const struct patience endless = {.give_up_fd = -1, .ms = -1};
	int r = patience_write(&endless, fd, text, len);

	if (r == 0 && ftruncate(fd, (off_t)len) < 0)
		r = -errno;
	/* Some file systems find only now that there is no room; others have nothing to say. */
	if (r == 0 && fsync(fd) < 0 && errno != EINVAL && errno != EROFS)
		r = -errno;
	if (close(fd) < 0 && r == 0)
		r = -errno;
	return r;
}

static int write_in_place(const struct outfile_place *p, const char *text, size_t len)
{
	int fd = openat(p->dir, p->name, OUTFILE_FLAGS | O_NOFOLLOW, 0666), r;

	if (fd < 0)
		return -errno;
	r = reserve(fd, len ? len : 1); /* or the file would be half old, half new */
	if (r < 0) {
		(void)!ftruncate(fd, p->st.st_size);
		close(fd);
		return r;
	}
	return fill(fd, text, len);
}

static int write_beside(const struct outfile_place *p, const char *text, size_t len)
{
	char name[NAME_MAX + 1];
	int fd, r = 0;

	fd = make_beside(p->dir, p->exists ? 0600 : 0666, name);
	if (fd < 0)
		return only_in_place(p, fd) ? write_in_place(p, text, len) : fd;
	if (p->exists)
		r = outfile_make_alike(p, fd);
	if (r < 0)
		close(fd);
	else
		r = fill(fd, text, len);
	if (r == 0 && renameat(p->dir, name, p->dir, p->name) < 0)
		r = -errno;
	if (r < 0)
		unlinkat(p->dir, name, 0);
	return only_in_place(p, r) ? write_in_place(p, text, len) : r;
}

static int write_regular(const struct outfile_place *p, const char *text, size_t len)
{
	sigset_t before;
	int r;

	process_hold_signals(&before);
	r = way_of(p) == IN_PLACE ? write_in_place(p, text, len) : write_beside(p, text, len);
	process_let_signals(&before);
	return r;
}

static int write_to(const struct outfile_place *p, const char *text, size_t len, int give_up_fd)
{
	const struct patience patience = {.give_up_fd = give_up_fd, .ms = READER_MS};

	switch (way_of(p)) {
	case AS_DESCRIPTOR:
		return patience_write(&patience, p->descriptor, text, len);
	case AS_DEVICE:
		return write_device(p, text, len, &patience);
	default:
		return write_regular(p, text, len);
	}
}

/* --- both --- */

static int logged(const char *option, const char *path, int r)
{
	if (r == -ETIMEDOUT)
		log_error("%s: cannot write %s: nobody reads it", option, path);
	else if (r == -ECANCELED)
		log_error("%s: cannot write %s: interrupted", option, path);
	else if (r < 0)
		log_errno(-r, "%s: cannot write %s", option, path);
	return r;
}

int outfile_check_room(const char *option, const char *path, size_t room)
{
	struct outfile_place place;
	int r = outfile_find(path, &place);

	if (r == 0) {
		r = check(&place, room);
		outfile_leave(&place);
	}
	if (r != -ENOSPC && r != -EDQUOT)
		return logged(option, path, r);
	log_error("%s: cannot write %s: %s, and it may take up to %zu KiB", option, path, strerror(-r),
	          (room + 1023) >> 10);
	return r;
}

int outfile_check(const char *option, const char *path)
{
	return outfile_check_room(option, path, 1);
}

int outfile_write(const char *option, const char *path, const char *text, size_t len, int give_up_fd)
{
	struct outfile_place place;
	int r = outfile_find(path, &place);

	if (r == 0) {
		r = write_to(&place, text, len, give_up_fd);
		outfile_leave(&place);
	}
	return logged(option, path, r);
}
