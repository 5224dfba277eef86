/* SPDX-License-Identifier: MIT */
#include "cmd/compare_files.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/outfile.h"
#include "cmd/input.h"

#define MAX_THRESHOLD 1000

int compare_parse_threshold(const char *arg, double *ret_percent)
{
	const size_t digits = strspn(arg, "0123456789.");
	char *end;
	const double v = strtod(arg, &end);

	/* Digits alone: strtod would take signs, exponents and "nan". */
	if (digits == 0 || end != arg + digits || strcmp(end, *end == '%' ? "%" : "") != 0 || v > MAX_THRESHOLD) {
		log_error("--threshold: '%s' is not a number of percent from 0 to %d", arg, MAX_THRESHOLD);
		return -EINVAL;
	}
	*ret_percent = v;
	return 0;
}

const char *compare_place(const char *path)
{
	return strcmp(path, "-") == 0 ? OUTFILE_STDIN : path;
}

int compare_read(const char *path, struct compare_file **ret_file)
{
	const char *name = strcmp(path, "-") == 0 ? "standard input" : path;
	uint8_t *bytes;
	size_t size;
	int r = input_read(path, INPUT_STREAM, COMPARE_MAX_BYTES, &bytes, &size);

	if (r < 0)
		return r;
	if (size > COMPARE_MAX_BYTES) {
		log_error("%s is larger than %lu MiB", name, COMPARE_MAX_BYTES >> 20);
		r = -EFBIG;
	} else {
		r = compare_load(name, (const char *)bytes, size, ret_file);
	}
	free(bytes);
	return r;
}
