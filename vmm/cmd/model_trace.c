/* SPDX-License-Identifier: MIT */
#include "cmd/model_trace.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#define BUFFER_BYTES 65536

static ssize_t put(void *ctx, const char *text, size_t len)
{
	struct model_trace *t = ctx;

	if (t->error == 0)
		t->error = patience_write(&t->patience, t->fd, text, len);
	return t->error < 0 ? 0 : (ssize_t)len; /* 0 is an error to stdio */
}

/* What cannot be replaced. */
static int open_in_place(struct model_trace *t)
{
	struct outfile_place place;
	int r = outfile_find(t->path, &place);

	if (r < 0)
		return r;
	if (place.descriptor >= 0) {
		t->fd = fcntl(place.descriptor, F_DUPFD_CLOEXEC, 0);
		r = t->fd < 0 ? -errno : 0;
	} else {
		t->fd = r = outfile_open_device(&place, -1, t->patience.give_up_fd);
	}
	outfile_leave(&place);
	return r < 0 ? r : 0;
}

static void abandon(struct model_trace *t)
{
	if (t->replaces)
		replace_abandon(&t->replace);
	else if (t->fd >= 0)
		close(t->fd);
	t->fd = -1;
}

int model_trace_begin(struct model_trace *t, const char *path, int give_up_fd)
{
	static const cookie_io_functions_t functions = {.write = put};
	int r;

	*t = (struct model_trace){.path = path, .patience = {.give_up_fd = give_up_fd, .ms = -1}, .fd = -1};
	r = replace_begin(path, &t->replace);
	t->replaces = r == 0;
	if (t->replaces)
		t->fd = t->replace.fd;
	else if (r == -EEXIST)
		r = open_in_place(t);
	if (r == -ECANCELED) {
		log_error("--write-trace: %s: interrupted, and nobody read it", path);
		return -EINTR;
	}
	if (r < 0)
		return log_errno(-r, "--write-trace: %s", path);
	t->writer.to = fopencookie(t, "w", functions);
	if (!t->writer.to) {
		abandon(t);
		return log_errno(ENOMEM, "--write-trace: %s", path);
	}
	setvbuf(t->writer.to, NULL, _IOFBF, BUFFER_BYTES);
	trace_write_head(&t->writer);
	return 0;
}

int model_trace_end(struct model_trace *t, int r)
{
	int written = 0;

	if (!t->writer.to)
		return r;
	if (r == 0)
		trace_write_end(&t->writer);
	if (fclose(t->writer.to))
		written = -errno;
	t->writer.to = NULL;
	if (t->error < 0)
		written = t->error == -ECANCELED ? -EINTR : t->error;
	if (r == 0 && written == 0 && t->replaces) {
		t->replaces = false; /* ends, whatever comes of it */
		t->fd = -1;
		written = replace_commit(&t->replace);
	}
	abandon(t);
	if (r == -EINTR || written == -EINTR)
		log_error("--write-trace: %s: interrupted, and no whole trace", t->path);
	else if (r == 0 && written < 0)
		log_errno(-written, "--write-trace: %s", t->path);
	return r < 0 ? r : written;
}
