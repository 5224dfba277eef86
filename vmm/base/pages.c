/* SPDX-License-Identifier: MIT */
#include "base/pages.h"

#include <errno.h>
#include <gnomon/addr.h>
#include <unistd.h>

bool page_is_zero(const void *page)
{
	const uint64_t *word = page;

	/* Eight at a time, so that the compiler takes them together. */
	for (size_t i = 0; i < PAGE_SIZE / sizeof(*word); i += 8)
		if (word[i] | word[i + 1] | word[i + 2] | word[i + 3] | word[i + 4] | word[i + 5] | word[i + 6] |
		    word[i + 7])
			return false;
	return true;
}

int pwrite_all(int fd, const void *bytes, size_t size, uint64_t at)
{
	const uint8_t *from = bytes;

	while (size) {
		const ssize_t n = pwrite(fd, from, size, (off_t)at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		from += n;
		at += (uint64_t)n;
		size -= (size_t)n;
	}
	return 0;
}

int pread_all(int fd, void *ret_bytes, size_t size, uint64_t at)
{
	uint8_t *to = ret_bytes;

	while (size) {
		const ssize_t n = pread(fd, to, size, (off_t)at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -ENODATA;
		to += n;
		at += (uint64_t)n;
		size -= (size_t)n;
	}
	return 0;
}
