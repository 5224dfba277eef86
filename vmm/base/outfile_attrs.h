/* SPDX-License-Identifier: MIT */
/* What a file has beside owner and mode: its ACL and its other extended attributes. For outfile.c. */
#ifndef GNOMON_BASE_OUTFILE_ATTRS_H
#define GNOMON_BASE_OUTFILE_ATTRS_H

#include "base/log.h"

/*
 * Gives the file `to` the extended attributes of `from`, and takes those away that it has beside them: from a default ACL
 * of its directory. A label of the host's security module has to be the same already. -EPERM: they cannot be made alike.
 */
int must_check outfile_copy_attrs(int from, int to);

#endif
