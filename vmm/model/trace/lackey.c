/* SPDX-License-Identifier: MIT */
/*
 * What valgrind's lackey writes with --trace-mem=yes:
 *
 *     I  04001000,3          an instruction; it is no access to data
 *      L 1ffefffe58,8        a load
 *      S 1ffefffe58,8        a store
 *      M 0421c7cc,4          both
 *     ==1234== ...           valgrind's own words, on the same stream; so are those that begin with --
 */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/plain.h"
#include "model/trace/trace_parts.h"

#define MAX_ACCESS 64   /* bytes of a line */
#define MAX_SIZE   4096 /* of an access */
#define PAGE       4096ull

static int refuse(const struct trace_source *t, const char *why, const char *line, size_t len)
{
	char text[MAX_ACCESS];

	snprintf(text, sizeof(text), "%.*s", (int)(len < sizeof(text) ? len : sizeof(text) - 1), line);
	plain_string(text);
	log_error("%s, line %llu: %s: '%s'", t->input->name, (unsigned long long)t->line + 1, why, text);
	return -EINVAL;
}

/* The line without its end, LF or CR LF, that begins at `at`. 1: there is none. */
static int next_line(struct trace_source *t, const char **ret_line, size_t *ret_len)
{
	for (;;) {
		const char *line = t->buffer + t->at, *end = memchr(line, '\n', t->end - t->at);
		int r;

		if (end) {
			*ret_line = line;
			t->at += (size_t)(end - line) + 1;
			if (end > line && end[-1] == '\r') /* it went through a machine that ends lines by CR LF */
				end--;
			*ret_len = (size_t)(end - line);
			return 0;
		}
		if (t->end - t->at == sizeof(t->buffer)) {
			if (!t->skips && strncmp(line, "==", 2) != 0 && strncmp(line, "--", 2) != 0)
				return refuse(t, "the line is too long for an access", line, MAX_ACCESS);
			t->skips = true;
			t->at = t->end;
		}
		if (t->eof && t->at == t->end)
			return 1;
		if (t->eof)
			return refuse(t, "the trace is cut short: its last line has no end", line, t->end - t->at);
		r = trace_fill(t);
		if (r < 0)
			return r;
	}
}

static bool is_words(const char *line, size_t len)
{
	return len == 0 || (len >= 2 && (memcmp(line, "==", 2) == 0 || memcmp(line, "--", 2) == 0));
}

/* 1: no access to data. */
static int parse_line(struct trace_source *t, const char *line, size_t len, uint64_t *ret_va, uint64_t *ret_size)
{
	char text[MAX_ACCESS], *comma, *end;
	uint64_t va, size;

	if (len >= sizeof(text) || memchr(line, 0, len))
		return refuse(t, "this is no access as lackey writes it, such as ' L 1ffefffe58,8'", line, len);
	memcpy(text, line, len);
	text[len] = 0;
	if (strncmp(text, "I  ", 3) != 0 && strncmp(text, " L ", 3) != 0 && strncmp(text, " S ", 3) != 0 &&
	    strncmp(text, " M ", 3) != 0)
		return refuse(t, "this is no access as lackey writes it, such as ' L 1ffefffe58,8'", line, len);
	errno = 0;
	va = isxdigit((unsigned char)text[3]) && tolower((unsigned char)text[4]) != 'x' ? strtoull(text + 3, &comma, 16)
	                                                                                : (comma = text, 0);
	if (*comma != ',' || errno)
		return refuse(t, "the address is not hexadecimal with a comma behind it", line, len);
	size = isdigit((unsigned char)comma[1]) ? strtoull(comma + 1, &end, 10) : (end = comma, 0);
	if (*end || !size || size > MAX_SIZE)
		return refuse(t, "the size is not a number from 1 to 4096", line, len);
	if (va + size - 1 < va)
		return refuse(t, "the access goes beyond the last address", line, len);
	if (!trace_is_canonical(va) || !trace_is_canonical(va + size - 1))
		return refuse(t, "the address is not canonical", line, len);
	*ret_va = va;
	*ret_size = size;
	return *text == 'I' ? 1 : 0;
}

/* One line. */
static int take_line(struct trace_source *t, uint64_t *ret_va, size_t *n)
{
	const char *line = NULL;
	size_t len = 0;
	uint64_t va, size;
	int r = next_line(t, &line, &len);

	if (r)
		return r;
	if (t->skips || is_words(line, len)) {
		t->skips = false;
	} else {
		r = parse_line(t, line, len, &va, &size);
		if (r < 0)
			return r;
		if (r == 0) {
			ret_va[(*n)++] = va;
			t->nr++;
			t->second = va / PAGE != (va + size - 1) / PAGE ? va + size - 1 : 0;
		}
	}
	t->line++;
	return 0;
}

int lackey_next(struct model_source *s, size_t max, uint64_t *ret_va, size_t *ret_nr)
{
	struct trace_source *t = (struct trace_source *)s;
	size_t n = 0;
	int r = 0;

	while (r == 0 && n < max) {
		if (t->second) {
			ret_va[n++] = t->second;
			t->second = 0;
			continue;
		}
		r = take_line(t, ret_va, &n);
	}
	if (r < 0)
		return r;
	if (r > 0 && !t->nr) {
		log_error("%s: there is no access in the trace", t->input->name);
		return -EINVAL;
	}
	*ret_nr = n;
	return 0;
}
