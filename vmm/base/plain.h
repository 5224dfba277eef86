/* SPDX-License-Identifier: MIT */
/* Text from elsewhere (a path, a host's name, a server's words), made fit for a terminal, a line and JSON. */
#ifndef GNOMON_BASE_PLAIN_H
#define GNOMON_BASE_PLAIN_H

#include <stddef.h>

/*
 * Puts a ? for each byte that is not of a character in UTF-8, of a control character (C0, DEL, C1, line and paragraph
 * separators), or of one that turns the direction of writing. What is good stays, and so does the length.
 */
void plain_make(char *text, size_t len);

/* The same for a string. */
void plain_string(char *text);

#endif
