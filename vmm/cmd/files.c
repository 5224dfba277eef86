/* SPDX-License-Identifier: MIT */
#include "cmd/files.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/process.h"

static const char *last_part(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* dir/under/name, whether it is there or not. False: too long. */
static bool join(const char *dir, const char *under, const char *name, char ret_path[PATH_MAX])
{
	return snprintf(ret_path, PATH_MAX, "%s/%s%s", dir, under, name) < PATH_MAX;
}

int own_file(const char *built, char ret_path[PATH_MAX])
{
	char dir[PATH_MAX], path[PATH_MAX];
	const int r = process_program(dir);

	if (r < 0)
		return log_errno(-r, "cannot find what comes with this program");
	*strrchr(dir, '/') = 0;
	if (!join(dir, "", built, path))
		return log_errno(ENAMETOOLONG, "%s", dir);
	if (access(path, F_OK) < 0 && !join(dir, GNOMON_LIBEXEC "/", last_part(built), path))
		return log_errno(ENAMETOOLONG, "%s", dir);
	strcpy(ret_path, path);
	return 0;
}

int image_file(const char *image, char ret_path[PATH_MAX])
{
	static const char *const guests[] = {FILES_KERNEL, FILES_COST};

	for (size_t i = 0; access(image, F_OK) < 0 && i < sizeof(guests) / sizeof(*guests); i++)
		if (strcmp(image, last_part(guests[i])) == 0)
			return own_file(guests[i], ret_path);
	if (strlen(image) >= PATH_MAX)
		return log_errno(ENAMETOOLONG, "guest image");
	strcpy(ret_path, image);
	return 0;
}
