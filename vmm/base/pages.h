/* SPDX-License-Identifier: MIT */
/* Pages of guest memory, on their way into files. */
#ifndef GNOMON_BASE_PAGES_H
#define GNOMON_BASE_PAGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/log.h"

/* Whether all bytes of a 4 KiB page, which is aligned to 8, are zero. */
bool page_is_zero(const void *page);

/* Writes all of it at byte `at` of the file. pwrite(2)'s -errno; -EIO: it writes nothing. */
int must_check pwrite_all(int fd, const void *bytes, size_t size, uint64_t at);
/* Reads all of it from byte `at` of the file on. pread(2)'s -errno; -ENODATA: the file ends before. */
int must_check pread_all(int fd, void *ret_bytes, size_t size, uint64_t at);

#endif
