/* SPDX-License-Identifier: MIT */
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* One write(2) a message: messages of several vCPU threads must not interleave. */
static void emit(const char *suffix, const char *fmt, va_list args)
{
	char line[2048];
	int n = snprintf(line, sizeof(line), "gnomon: ");

	n += vsnprintf(line + n, sizeof(line) - n, fmt, args);
	if (n < (int)sizeof(line))
		n += snprintf(line + n, sizeof(line) - n, "%s%s", suffix ? ": " : "", suffix ? suffix : "");
	if (n > (int)sizeof(line) - 2)
		n = sizeof(line) - 2;
	line[n++] = '\n';
	if (write(STDERR_FILENO, line, n) < 0)
		return; /* nowhere left to say it */
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
	return isatty(STDERR_FILENO) == 1;
}

void log_progress(const char *fmt, ...)
{
	va_list args;

	if (!log_progress_wanted())
		return;
	fputs("\r\033[K", stderr);
	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fflush(stderr);
}

void bug(const char *file, int line, const char *what)
{
	fprintf(stderr, "gnomon: BUG at %s:%d: %s\n", file, line, what);
	abort();
}
