/* SPDX-License-Identifier: MIT */
/* Writing to what may not take it: a full pipe, a stopped terminal, a FIFO whose reader sleeps. */
#ifndef GNOMON_BASE_PATIENCE_H
#define GNOMON_BASE_PATIENCE_H

#include <stddef.h>

#include "base/log.h"

/* How long a write waits for room. */
struct patience {
	int give_up_fd; /* not once this is readable; -1: no such descriptor */
	int ms;         /* no longer than this without progress; -1: for ever */
};

/*
 * Writes all of it, whether or not `fd` blocks. -ECANCELED: give_up_fd was readable; -ETIMEDOUT; or the -errno of the
 * write that failed. In each case a part may have been written.
 */
int must_check patience_write(const struct patience *p, int fd, const void *data, size_t len);

#endif
