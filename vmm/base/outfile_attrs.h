/* SPDX-License-Identifier: MIT */
/* A new file as the one whose place it takes: owner, ACL, other attributes, mode. For outfile.c and replace.c. */
#ifndef GNOMON_BASE_OUTFILE_ATTRS_H
#define GNOMON_BASE_OUTFILE_ATTRS_H

#include "base/outfile_place.h"

/*
 * Gives the open file `fd` the owner, the extended attributes and the rights of the file at `p`, which exists, and takes
 * those away that it has beside them: from a default ACL of its directory. A label of the host's security module has to be
 * the same already. -EPERM: they cannot be made alike.
 */
int must_check outfile_make_alike(const struct outfile_place *p, int fd);

#endif
