/* SPDX-License-Identifier: MIT */
/* Which files this process has mapped where, as the kernel tells (/proc/self/maps). */
#ifndef GNOMON_MEM_FILE_MAPS_H
#define GNOMON_MEM_FILE_MAPS_H

#include <stdint.h>

#include "base/log.h"

/* [at, at + size) of the range that was asked for is the file `inode` from byte `offset` on. In ascending order. */
typedef void (*file_maps_fn)(void *ctx, uint64_t at, uint64_t size, uint64_t inode, uint64_t offset);

/* Tells of each file in [from, from + size). -errno: the kernel does not tell. */
int must_check file_maps_find(const void *from, uint64_t size, file_maps_fn fn, void *ctx);

#endif
