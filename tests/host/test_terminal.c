/* SPDX-License-Identifier: MIT */
/* gnomon top on terminals of any size: each look fits, with its title on top. */
#include <criterion/criterion.h>
#include <pty.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "surroundings.h"

#define CLEAR "\033[H\033[2J"

static struct run r;

TestSuite(terminal, .init = vm_start_idle, .fini = vm_quit);

static struct winsize size;
static const char *term;
static int master, slave;

static void on_terminal(void)
{
	dup2(slave, STDOUT_FILENO);
	if (term)
		setenv("TERM", term, 1);
	else
		unsetenv("TERM");
}

/* Two looks; what the terminal got is in `text`. */
static void top(char *text, size_t room)
{
	size_t len = 0;
	ssize_t n;

	cr_assert_eq(openpty(&master, &slave, NULL, NULL, &size), 0);
	r.surroundings = on_terminal;
	run_start(&r, (const char *const[]){"top", "--count", "2", vm_socket, NULL});
	close(slave);
	while (len < room - 1 && (n = read(master, text + len, room - 1 - len)) > 0)
		len += (size_t)n;
	text[len] = 0;
	close(master);
	run_finish(&r);
	expect_status(&r, 0);
}

/* No line longer than the terminal, no look higher; it begins with the socket's path as far as that fits. */
static void expect_fits(char *text, int rows, int columns)
{
	int looks = 0;
	char *end;

	cr_assert_eq(strncmp(text, CLEAR, strlen(CLEAR)), 0, "%s", text);
	for (char *look = text + strlen(CLEAR); look; look = end ? end + strlen(CLEAR) : NULL, looks++) {
		char *line = look;
		int lines = 0;

		end = strstr(look, CLEAR);
		if (end)
			*end = 0;
		else
			look[strlen(look) - 2] = 0; /* the last line feed, at the command's end */
		cr_assert_eq(
		    strncmp(look, vm_socket, (size_t)columns < strlen(vm_socket) ? (size_t)columns : strlen(vm_socket)),
		    0, "%s", look);
		for (; line; line = strstr(line, "\r\n") ? strstr(line, "\r\n") + 2 : NULL) {
			lines++;
			cr_assert_leq((int)strcspn(line, "\r"), columns, "%d columns: %s", columns, line);
		}
		cr_assert_leq(lines, rows, "%d rows, %d lines", rows, lines);
	}
	cr_assert_eq(looks, 2);
}

Test(terminal, sizes)
{
	static const struct {
		unsigned short rows, columns;
	} sizes[] = {{24, 80}, {10, 40}, {2, 2}, {1, 1}, {0, 0}, {500, 20}};
	static char text[1 << 17];

	term = "xterm";
	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		size = (struct winsize){.ws_row = sizes[i].rows, .ws_col = sizes[i].columns};
		top(text, sizeof(text));
		expect_fits(text, sizes[i].rows ? sizes[i].rows : 24, sizes[i].columns ? sizes[i].columns : 80);
	}
}

/* Where there is room, all is shown; where there is not, how much is missing. */
Test(terminal, says_what_is_left_out)
{
	static char text[1 << 17];

	term = "xterm";
	size = (struct winsize){.ws_row = 200, .ws_col = 80};
	top(text, sizeof(text));
	cr_assert(strstr(text, "KVM ") && strstr(text, "exits_io"), "%s", text);
	cr_assert_null(strstr(text, " more: "), "%s", text);
	size.ws_row = 8;
	top(text, sizeof(text));
	cr_assert(strstr(text, " more: the terminal has 8 rows"), "%s", text);
}

/* A terminal that draws nothing gets tables one below the other, and no control characters. */
Test(terminal, without_cursor)
{
	static char text[1 << 17];

	size = (struct winsize){.ws_row = 8, .ws_col = 80};
	for (int i = 0; i < 2; i++) {
		term = i ? "dumb" : NULL;
		top(text, sizeof(text));
		cr_assert_null(strchr(text, '\033'), "%s", text);
		cr_assert(strstr(text, "exits_io"), "%s", text);
	}
}
