/* SPDX-License-Identifier: MIT */
#include "cmd/args.h"

#include <errno.h>
#include <gnomon/addr.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int parse_size(const char *text, uint64_t *ret_bytes)
{
	static const char units[] = "KMGT";
	unsigned long long v;
	char *end;
	int shift = 0;

	if (*text < '0' || *text > '9')
		return -EINVAL; /* strtoull would take blanks and signs */
	if (text[0] == '0' && text[1] >= '0' && text[1] <= '9')
		return -EINVAL; /* octal, or not? */
	errno = 0;
	/* Not base 0, which takes 0b1 for a number with a younger C library. */
	v = strtoull(text, &end, text[0] == '0' && (text[1] | ' ') == 'x' ? 16 : 10);
	if (errno)
		return -ERANGE;
	if (*end) {
		const char *u = strchr(units, *end >= 'a' ? *end - 'a' + 'A' : *end);

		if (!u)
			return -EINVAL;
		shift = 10 * (u - units + 1);
		end++;
		if (strcmp(end, "iB") == 0)
			end += 2;
		else if (strcmp(end, "B") == 0)
			end += 1;
	}
	if (*end)
		return -EINVAL;
	if (shift && v >> (64 - shift))
		return -ERANGE;
	*ret_bytes = v << shift;
	return 0;
}

int parse_count(const char *what, const char *text, long min, long max, long *ret_value)
{
	const bool digits = *text && !text[strspn(text, "0123456789")]; /* strtol would take blanks and signs */
	long v;

	errno = 0;
	v = strtol(text, NULL, 10);
	if (!digits || errno || v < min || v > max) {
		log_error("%s: '%s' is not a number from %ld to %ld", what, text, min, max);
		return -EINVAL;
	}
	*ret_value = v;
	return 0;
}

int parse_memory(const char *text, uint64_t *ret_bytes)
{
	uint64_t host = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);
	uint64_t v;

	if (parse_size(text, &v) < 0) {
		log_error("--memory: '%s' is not a size (such as 64M or 1G)", text);
		return -EINVAL;
	}
	if (v == 0 || v % PAGE_2M) {
		log_error("--memory: %s is not a positive multiple of 2 MiB", text);
		return -EINVAL;
	}
	if (v > host) {
		log_error("--memory: %s is more than this host's %llu MiB", text, (unsigned long long)(host >> 20));
		return -EINVAL;
	}
	*ret_bytes = v;
	return 0;
}

int parse_names(const char *option, const char *text, names_of *names, const char *what, unsigned *ret_set)
{
	char known[256];

	if (names_parse(text, names, ret_set) == 0)
		return 0;
	names_join(names, known, sizeof(known));
	log_error("%s: '%s' is not a list of %s (%s)", option, text, what, known);
	return -EINVAL;
}
