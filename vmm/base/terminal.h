/* SPDX-License-Identifier: MIT */
/* What can be shown on a terminal. */
#ifndef GNOMON_BASE_TERMINAL_H
#define GNOMON_BASE_TERMINAL_H

#include <stdbool.h>

/* True when `fd` is a terminal, and one that understands cursor movements: TERM is set, and not to "dumb". */
bool terminal_draws(int fd);

/* Rows and columns now, at least 1 each. 24 and 80 where the terminal does not say, or is none. */
struct terminal_size {
	int rows, columns;
};
struct terminal_size terminal_size(int fd);

#endif
