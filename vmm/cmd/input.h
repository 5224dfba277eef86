/* SPDX-License-Identifier: MIT */
/* Files that a command is given to look at, whatever they are. */
#ifndef GNOMON_CMD_INPUT_H
#define GNOMON_CMD_INPUT_H

#include <stddef.h>
#include <stdint.h>

#include "base/log.h"

/* INPUT_STREAM: FIFOs and the like, too, which are waited for; the path "-" is stdin. */
enum input_kind { INPUT_REGULAR, INPUT_STREAM };

/*
 * All of a file, in memory that is the caller's to free(). With INPUT_STREAM no more than max + 1 bytes are read: it is
 * for the caller to say what is wrong with a longer one. A regular file of more is refused. -errno, logged.
 */
int must_check input_read(const char *path, enum input_kind kind, size_t max, uint8_t **ret_bytes, size_t *ret_size);

#endif
