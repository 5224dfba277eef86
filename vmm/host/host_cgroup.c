/* SPDX-License-Identifier: MIT */
/*
 * How much memory this process's cgroups leave to it (Documentation/admin-guide/cgroup-v2.rst, cgroup-v1/memory.rst):
 * the least of what each has left, up to the mount's root. In a container the mount may begin below the path that
 * /proc/self/cgroup names: a cgroup that is not there is passed over.
 */
#include <ctype.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/host_parts.h"

#define UNLIMITED (1ull << 62) /* version 1 says the most that it can count */

struct hierarchy {
	const char *mount, *limit, *usage;
	const char *cache[2]; /* in memory.stat: file pages, which the kernel takes back before it kills */
};

static const struct hierarchy unified = {
    "fs/cgroup", "memory.max", "memory.current", {"\ninactive_file ", "\nactive_file "}};
static const struct hierarchy version_1 = {"fs/cgroup/memory",
                                           "memory.limit_in_bytes",
                                           "memory.usage_in_bytes",
                                           {"\ntotal_inactive_file ", "\ntotal_active_file "}};

/* Of a line "ID:CONTROLLERS:PATH". NULL: no memory is accounted there. *ret_path is of this line. */
static const struct hierarchy *hierarchy_of(char *line, char **ret_path)
{
	char *controllers = strchr(line, ':'), *path = controllers ? strchr(controllers + 1, ':') : NULL;

	if (!path)
		return NULL;
	*path++ = 0;
	*ret_path = path;
	if (strcmp(line, "0:") == 0)
		return &unified;
	for (char *word = strtok(controllers + 1, ","); word; word = strtok(NULL, ","))
		if (strcmp(word, "memory") == 0)
			return &version_1;
	return NULL;
}

static bool read_bytes(const char *dir, const char *name, uint64_t *ret_bytes)
{
	char text[32];

	if (host_read_file(dir, name, text, sizeof(text)) < 0 || !isdigit((unsigned char)*text))
		return false;
	*ret_bytes = strtoull(text, NULL, 10);
	return true;
}

static uint64_t cached(const char *dir, const struct hierarchy *h)
{
	char text[8192] = "\n"; /* each field begins behind a newline */
	uint64_t bytes = 0;

	if (host_read_file(dir, "memory.stat", text + 1, sizeof(text) - 1) < 0)
		return 0;
	for (int i = 0; i < 2; i++) {
		const char *field = strstr(text, h->cache[i]);

		bytes += field ? strtoull(field + strlen(h->cache[i]), NULL, 10) : 0;
	}
	return bytes;
}

/* Of one cgroup. UNLIMITED: it sets no limit, or is not there. */
static uint64_t left_in(const char *dir, const struct hierarchy *h)
{
	uint64_t limit, usage, cache;

	if (!read_bytes(dir, h->limit, &limit) || limit >= UNLIMITED || !read_bytes(dir, h->usage, &usage))
		return UNLIMITED;
	cache = cached(dir, h);
	usage = usage > cache ? usage - cache : 0;
	return limit > usage ? limit - usage : 0;
}

/* The least of the cgroup and those above it. Cuts `path`. */
static uint64_t left_above(const char *sys, const struct hierarchy *h, char *path)
{
	char dir[PATH_MAX];
	uint64_t least = UNLIMITED;

	for (;;) {
		char *last = strrchr(path, '/');

		if (snprintf(dir, sizeof(dir), "%s/%s%s", sys, h->mount, path) < (int)sizeof(dir)) {
			const uint64_t left = left_in(dir, h);

			least = left < least ? left : least;
		}
		if (!last)
			return least;
		*last = 0;
	}
}

void host_heed_cgroups(struct host_info *info, const struct host_paths *paths)
{
	char text[4096], *rest = text, *line, *path;

	if (!info->memory_available || host_read_file(paths->proc, "self/cgroup", text, sizeof(text)) < 0)
		return;
	while ((line = strsep(&rest, "\n"))) {
		const struct hierarchy *h = hierarchy_of(line, &path);
		const uint64_t left = h ? left_above(paths->sys, h, path) : UNLIMITED;

		if (left >= info->memory_available)
			continue;
		info->memory_available = left;
		info->memory_limited = true;
	}
}
