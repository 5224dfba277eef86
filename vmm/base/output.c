/* SPDX-License-Identifier: MIT */
#include "base/output.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "base/patience.h"

#define WORDS_MS 1000 /* how long a message waits for its reader */

struct stream {
	int fd;
	struct patience patience;
	int error; /* the first -errno; nothing is written any more */
};

/* As stdio's own: one of each in a process. */
static struct stream out = {.fd = STDOUT_FILENO, .patience = {.give_up_fd = -1, .ms = -1}};
static struct stream err = {.fd = STDERR_FILENO, .patience = {.give_up_fd = -1, .ms = WORDS_MS}};

static ssize_t write_out(void *cookie, const char *data, size_t len)
{
	if (!out.error)
		out.error = patience_write(&out.patience, out.fd, data, len);
	return out.error ? 0 : (ssize_t)len;
}

/* A later message may find a reader again, but nobody waits for him any more. */
static ssize_t write_err(void *cookie, const char *data, size_t len)
{
	if (patience_write(&err.patience, err.fd, data, len) == -ETIMEDOUT)
		err.patience.ms = 0;
	return (ssize_t)len;
}

void output_prepare(void)
{
	FILE *o = fopencookie(NULL, "w", (cookie_io_functions_t){.write = write_out});
	FILE *e = fopencookie(NULL, "w", (cookie_io_functions_t){.write = write_err});

	/* Without memory for them stdio's own must do. */
	if (o) {
		setvbuf(o, NULL, isatty(out.fd) == 1 ? _IOLBF : _IOFBF, BUFSIZ);
		stdout = o;
	}
	if (e) {
		setvbuf(e, NULL, _IONBF, 0);
		stderr = e;
	}
}

int output_error(void)
{
	if ((fflush(stdout) || ferror(stdout)) && !out.error)
		out.error = -EIO;
	return out.error;
}

void output_give_up_on(int fd)
{
	if (out.patience.give_up_fd >= 0)
		(void)output_error(); /* what was said until now is given up on what holds until now */
	out.patience.give_up_fd = err.patience.give_up_fd = fd;
}

int output_end(int status)
{
	int r = output_error();

	if (close(out.fd) < 0 && r == 0)
		r = -errno;
	if (r == 0)
		return status;
	if (r != -ECANCELED) /* who asked for the end knows */
		log_errno(-r, "cannot write to standard output");
	return output_lost(status);
}
