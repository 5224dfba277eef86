/* SPDX-License-Identifier: MIT */
#include "mem/file_maps.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

int file_maps_find(const void *from, uint64_t size, file_maps_fn fn, void *ctx)
{
	const uint64_t first = (uintptr_t)from, end = first + size;
	FILE *f = fopen("/proc/self/maps", "re");
	char *line = NULL;
	size_t room = 0;

	if (!f)
		return -errno;
	while (getline(&line, &room, f) > 0) {
		unsigned long long start, stop, offset, inode;
		uint64_t a, b;

		if (sscanf(line, "%llx-%llx %*s %llx %*s %llu", &start, &stop, &offset, &inode) != 4 || !inode)
			continue;
		a = start > first ? start : first;
		b = stop < end ? stop : end;
		if (a < b)
			fn(ctx, a - first, b - a, inode, offset + (a - start));
	}
	free(line);
	fclose(f);
	return 0;
}
