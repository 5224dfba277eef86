/* SPDX-License-Identifier: MIT */
/* Where a path leads, for outfile.c and replace.c. */
#ifndef GNOMON_BASE_OUTFILE_PLACE_H
#define GNOMON_BASE_OUTFILE_PLACE_H

#include <limits.h>
#include <stdbool.h>
#include <sys/stat.h>

#include "base/log.h"

/* Without need of it O_CREAT is there to have the kernel look at whose file it is (fs.protected_regular). */
#define OUTFILE_FLAGS (O_WRONLY | O_CREAT | O_NOCTTY | O_CLOEXEC)

struct outfile_place {
	int descriptor;          /* of this process; -1: it is a name in a directory, as follows */
	int dir;                 /* O_PATH */
	char name[NAME_MAX + 1]; /* no symbolic link */
	bool proc;               /* in procfs, where nothing can be made */
	bool exists;
	struct stat st; /* if it exists */
};

/* Whether both are of one file. */
static inline bool outfile_is_one(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

/* Follows symbolic links, also one that leads nowhere yet. -errno: what open(2) would say to the same path. */
int must_check outfile_find(const char *path, struct outfile_place *ret);
void outfile_leave(struct outfile_place *place);

/*
 * Opens a device, or a FIFO, whose reader may still be on his way: for `coming_ms`, or for ever if that is negative. The
 * descriptor does not block. -ETIMEDOUT: nobody came; -ECANCELED: give_up_fd was readable meanwhile; or open(2)'s -errno.
 */
int must_check outfile_open_device(const struct outfile_place *p, int coming_ms, int give_up_fd);

#endif
