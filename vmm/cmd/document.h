/* SPDX-License-Identifier: MIT */
/* A file of text that a command makes in memory and writes as a whole. */
#ifndef GNOMON_CMD_DOCUMENT_H
#define GNOMON_CMD_DOCUMENT_H

#include <stdio.h>

#include "base/log.h"

/*
 * Writes what `put` writes to `path` (base/outfile.h), which `option` named. `put` returns 0 or -errno, logged: then
 * nothing is written. -errno, logged.
 */
int must_check document_write(const char *option, const char *path, int (*put)(const void *what, FILE *to),
                              const void *what);

/* Before that: whether `path` can be written, and is not `input`, which is to be read. -errno, logged. */
int must_check document_check(const char *option, const char *path, const char *input);

#endif
