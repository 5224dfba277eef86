/* SPDX-License-Identifier: MIT */
/* Where a path leads, for outfile.c. */
#ifndef GNOMON_BASE_OUTFILE_PLACE_H
#define GNOMON_BASE_OUTFILE_PLACE_H

#include <limits.h>
#include <stdbool.h>
#include <sys/stat.h>

#include "base/log.h"

struct outfile_place {
	int descriptor;          /* of this process; -1: it is a name in a directory, as follows */
	int dir;                 /* O_PATH */
	char name[NAME_MAX + 1]; /* no symbolic link */
	bool proc;               /* in procfs, where nothing can be made */
	bool exists;
	struct stat st; /* if it exists */
};

/* Follows symbolic links, also one that leads nowhere yet. -errno: what open(2) would say to the same path. */
int must_check outfile_find(const char *path, struct outfile_place *ret);
void outfile_leave(struct outfile_place *place);

#endif
