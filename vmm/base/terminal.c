/* SPDX-License-Identifier: MIT */
#include "base/terminal.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

bool terminal_draws(int fd)
{
	const char *term = getenv("TERM");

	return term && *term && strcmp(term, "dumb") != 0 && isatty(fd) == 1;
}

struct terminal_size terminal_size(int fd)
{
	struct winsize w = {0};

	(void)ioctl(fd, TIOCGWINSZ, &w);
	return (struct terminal_size){.rows = w.ws_row ? w.ws_row : 24, .columns = w.ws_col ? w.ws_col : 80};
}
