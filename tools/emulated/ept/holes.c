/* SPDX-License-Identifier: MIT */
/*
 * The machine's memory is a file of 1 GiB and more in its saved state, and most of it is holes. When Bochs loads the
 * state, it copies that file by 4 KiB into a temporary one, holes and all: most of what a start cost. So its fread() and
 * fwrite() are these, which recognise the copy by its first step, and make it without the holes.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "bochs.h"

#define CHUNK 4096         /* Bochs' own, in bx_real_sim_c::restore_bochs_param() */
#define LARGE (64ll << 20) /* no other file of a state has so many bytes */

static FILE *source; /* a large file whose first bytes were read just now */
static off_t source_size;

static off_t size_of(FILE *f)
{
	return lseek(fileno(f), 0, SEEK_END);
}

static bool copy_piece(int from, int to, off_t at, off_t end)
{
	static uint8_t buf[1 << 16];

	while (at < end) {
		const size_t most = end - at < (off_t)sizeof(buf) ? (size_t)(end - at) : sizeof(buf);
		const ssize_t n = pread(from, buf, most, at);

		if (n <= 0 || pwrite(to, buf, n, at) != n)
			return false;
		at += n;
	}
	return true;
}

/* The pieces that are no holes. On a file system without holes that is one. */
static bool copy_data(int from, int to, off_t size)
{
	off_t data = 0, hole;

	if (ftruncate(to, size) < 0)
		return false;
	while ((data = lseek(from, data, SEEK_DATA)) >= 0 && data < size) {
		hole = lseek(from, data, SEEK_HOLE);
		if (hole < 0 || !copy_piece(from, to, data, hole))
			return false;
		data = hole;
	}
	return data >= size || errno == ENXIO; /* none behind it */
}

size_t fread(void *to, size_t size, size_t n, FILE *f)
{
	static size_t (*as_ever)(void *, size_t, size_t, FILE *);
	size_t r;

	if (!as_ever)
		*(void **)&as_ever = dlsym(RTLD_NEXT, "fread");
	r = as_ever(to, size, n, f);
	if (size * n != CHUNK || r != n || ftello(f) != CHUNK)
		return r;
	source_size = size_of(f);
	source = source_size >= LARGE ? f : NULL;
	return fseeko(f, CHUNK, SEEK_SET) < 0 ? 0 : r;
}

size_t fwrite(const void *from, size_t size, size_t n, FILE *f)
{
	static size_t (*as_ever)(const void *, size_t, size_t, FILE *);
	FILE *const copied = source;

	if (!as_ever)
		*(void **)&as_ever = dlsym(RTLD_NEXT, "fwrite");
	source = NULL;
	if (!copied || size * n != CHUNK || ftello(f) != 0 || size_of(f) != 0)
		return as_ever(from, size, n, f);
	if (!copy_data(fileno(copied), fileno(f), source_size) || fseeko(f, source_size, SEEK_SET) < 0 ||
	    fseeko(copied, source_size, SEEK_SET) < 0)
		bochs_die("cannot copy the machine's memory: %s", strerror(errno));
	return n;
}
