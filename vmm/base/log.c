/* SPDX-License-Identifier: MIT */
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/plain.h"
#include "base/terminal.h"

/* One write a message: messages of several vCPU threads must not interleave. */
static void emit(const char *suffix, const char *fmt, va_list args)
{
	static const char cut[] = "...";
	char line[2048], end[256];
	const int len = snprintf(end, sizeof(end), "%s%s\n", suffix ? ": " : "", suffix ? suffix : "");
	const int room = (int)sizeof(line) - len;
	int n = snprintf(line, room, "gnomon: ");

	n += vsnprintf(line + n, room - n, fmt, args);
	if (n >= room) {
		n = room - 1;
		memcpy(line + n - (sizeof(cut) - 1), cut, sizeof(cut) - 1);
	}
	/* A message is a line, whatever a path has in it. */
	plain_make(line, n);
	memcpy(line + n, end, len);
	fwrite(line, 1, n + len, stderr);
}

void log_error(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	emit(NULL, fmt, args);
	va_end(args);
}

int log_errno(int err, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	emit(strerror(err), fmt, args);
	va_end(args);
	return -err;
}

bool log_progress_wanted(void)
{
	return terminal_draws(STDERR_FILENO);
}

void log_progress(const char *fmt, ...)
{
	char line[160] = "";
	va_list args;

	if (!log_progress_wanted())
		return;
	va_start(args, fmt);
	vsnprintf(line, sizeof(line), fmt, args);
	va_end(args);
	/* The last column stays free: behind it the terminal goes to a new line, which would stay. */
	fprintf(stderr, "\r\033[K%.*s", terminal_size(STDERR_FILENO).columns - 1, line);
}

void bug(const char *file, int line, const char *what)
{
	fprintf(stderr, "gnomon: BUG at %s:%d: %s\n", file, line, what);
	abort();
}
