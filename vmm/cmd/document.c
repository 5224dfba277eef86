/* SPDX-License-Identifier: MIT */
#include "cmd/document.h"

#include <errno.h>
#include <stdlib.h>

#include "base/outfile.h"

int document_write(const char *option, const char *path, int (*put)(const void *what, FILE *to), const void *what)
{
	char *text = NULL;
	size_t len;
	FILE *to = open_memstream(&text, &len);
	int r = to ? put(what, to) : log_errno(ENOMEM, "%s", option);

	if (to && fclose(to) == EOF && r == 0)
		r = log_errno(ENOMEM, "%s", option);
	if (r == 0)
		r = outfile_write(option, path, text, len, -1);
	free(text);
	return r;
}

int document_check(const char *option, const char *path, const char *input)
{
	if (!outfile_same(path, input))
		return outfile_check(option, path);
	log_error("%s: %s is what shall be read", option, path);
	return -EINVAL;
}
