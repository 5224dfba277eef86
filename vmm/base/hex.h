/* SPDX-License-Identifier: MIT */
/* Bytes as hex digits, and back. */
#ifndef GNOMON_BASE_HEX_H
#define GNOMON_BASE_HEX_H

#include <stdbool.h>
#include <stddef.h>

/* Characters that hex_write() needs for so many bytes. */
#define HEX_TEXT(size) (2 * (size) + 1)

/* Writes 2 * size digits and a NUL. */
void hex_write(char *ret_text, const void *bytes, size_t size);

/*
 * Reads `size` bytes from `len` characters: digits of either case, and white space, which does not count. False: there is
 * something else, or not as many digits. *ret_bytes is untouched then.
 */
bool hex_read(const char *text, size_t len, void *ret_bytes, size_t size);

#endif
