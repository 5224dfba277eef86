/* SPDX-License-Identifier: MIT */
/* Values on the command line: one parser each, one sentence each when they are wrong. */
#ifndef GNOMON_CMD_ARGS_H
#define GNOMON_CMD_ARGS_H

#include <stdint.h>

#include "base/log.h"
#include "base/names.h"

/* "64M", "1GiB", "0x200000": bytes, with K, M, G or T as powers of 1024; decimal or 0x. -EINVAL, -ERANGE. */
int must_check parse_size(const char *text, uint64_t *ret_bytes);

/* A decimal integer in [min, max]; says what is wrong with `what` otherwise. -EINVAL. */
int must_check parse_count(const char *what, const char *text, long min, long max, long *ret_value);

/* A list of `names`, as names_parse() has it; otherwise says that it is none of `what`, and which there are. -EINVAL. */
int must_check parse_names(const char *option, const char *text, names_of *names, const char *what, unsigned *ret_set);

/* Guest memory: more than 0, a multiple of 2 MiB, not more than this host has. Says why not. -EINVAL. */
int must_check parse_memory(const char *text, uint64_t *ret_bytes);

#endif
