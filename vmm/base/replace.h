/* SPDX-License-Identifier: MIT */
/*
 * A large file that is written piece by piece and takes the place of another when it is complete. Until then what was
 * there before stays, whatever ends the process.
 *
 *   replace_begin    a file without a name (O_TMPFILE), or with one of its own where the file system has no such files
 *   write to fd
 *   replace_commit   fsync, a name beside, rename, fsync of the directory
 *
 * A process that is killed in between may leave a name beside. The next that needs one there removes it: whoever still writes
 * a file has it locked (flock).
 *
 * base/outfile.h is for a text that lies in memory, and writes to more than regular files.
 */
#ifndef GNOMON_BASE_REPLACE_H
#define GNOMON_BASE_REPLACE_H

#include "base/outfile_place.h"

struct replace {
	struct outfile_place place;
	int fd;                  /* for reading and writing */
	char name[NAME_MAX + 1]; /* of the new file; empty: it has none yet */
};

/*
 * Begins a file that will replace `path`, which is a regular file or nothing, with its owner, attributes and rights.
 * -errno, not logged, with nothing left behind: -EEXIST, something else stands there; -EINVAL, the name is kept for files
 * that are not complete; -EPERM, it has something that the new one cannot have.
 */
int must_check replace_begin(const char *path, struct replace *ret);

/* Makes it the file at the path. Ends `r`, whatever comes of it. -errno: the old file is as it was. */
int must_check replace_commit(struct replace *r);

/* Drops it. */
void replace_abandon(struct replace *r);

#endif
