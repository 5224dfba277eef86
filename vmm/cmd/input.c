/* SPDX-License-Identifier: MIT */
#include "cmd/input.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* At most `room` bytes, up to the end. -errno, not logged. */
static int read_all(int fd, uint8_t *to, size_t room, size_t *ret_size)
{
	size_t at = 0;
	ssize_t n;

	do {
		n = read(fd, to + at, room - at);
		if (n > 0)
			at += n;
	} while ((n > 0 && at < room) || (n < 0 && errno == EINTR));
	if (n < 0)
		return -errno;
	*ret_size = at;
	return 0;
}

/* The size of a regular file of at most `max` bytes. -errno, logged. */
static int regular_size(int fd, const char *path, size_t max, size_t *ret_size)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return log_errno(errno, "cannot read %s", path);
	if (!S_ISREG(st.st_mode)) {
		log_error("%s is not a regular file", path);
		return -EINVAL;
	}
	if ((uint64_t)st.st_size > max) {
		log_error("%s is larger than %llu MiB", path, (unsigned long long)max >> 20);
		return -EFBIG;
	}
	*ret_size = st.st_size;
	return 0;
}

static int read_fd(int fd, const char *path, enum input_kind kind, size_t max, uint8_t **ret_bytes, size_t *ret_size)
{
	uint8_t *bytes;
	size_t size = max, got = 0;
	int r = kind == INPUT_REGULAR ? regular_size(fd, path, max, &size) : 0;

	if (r < 0)
		return r;
	bytes = malloc(size + 1); /* one more, to see that there is none */
	r = bytes ? read_all(fd, bytes, size + 1, &got) : -ENOMEM;
	if (r < 0) {
		log_errno(-r, "cannot read %s", path);
	} else if (kind == INPUT_REGULAR && got != size) {
		log_error("%s was changed while it was read", path);
		r = -EAGAIN;
	}
	if (r < 0) {
		free(bytes);
		return r;
	}
	*ret_bytes = bytes;
	*ret_size = got;
	return 0;
}

int input_read(const char *path, enum input_kind kind, size_t max, uint8_t **ret_bytes, size_t *ret_size)
{
	int fd, r;

	if (kind == INPUT_STREAM && strcmp(path, "-") == 0)
		return read_fd(STDIN_FILENO, "standard input", kind, max, ret_bytes, ret_size);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | (kind == INPUT_REGULAR ? O_NONBLOCK : 0));
	if (fd < 0)
		return log_errno(errno, "cannot open %s", path);
	r = read_fd(fd, path, kind, max, ret_bytes, ret_size);
	close(fd);
	return r;
}
