/* SPDX-License-Identifier: MIT */
#include "cmd/bench_mappings.h"

#include <errno.h>
#include <gnomon/addr.h>
#include <string.h>

#include "cmd/args.h"
#include "mem/backing.h"

#define LEAST  (16 * PAGE_SIZE)
#define MOST   PAGE_1G
#define FACTOR 2

_Static_assert(LEAST << (BENCH_MAX_SIZES - 1) >= MOST, "room for the slowest sweep");

static const char *page_name(size_t i)
{
	static const char *const names[] = {
	    [BENCH_PAGE_4K] = "4k", [BENCH_PAGE_2M] = "2m", [BENCH_PAGE_1G] = "1g", [BENCH_NR_PAGES] = NULL};

	return names[i];
}

static const char *backing_of(size_t i)
{
	return i < BACKING_NR ? backing_name((enum backing)i) : NULL;
}

int bench_parse_pages(const char *arg, struct bench_mappings *m)
{
	return parse_names("--pages", arg, page_name, "guest pages", &m->pages);
}

int bench_parse_backings(const char *arg, struct bench_mappings *m)
{
	return parse_names("--backing", arg, backing_of, "host pages", &m->backings);
}

/* One end of the sweep. */
static int parse_end(const char *text, size_t len, uint64_t *ret_bytes)
{
	char size[32];

	if (len >= sizeof(size))
		return -EINVAL;
	memcpy(size, text, len);
	size[len] = 0;
	if (parse_size(size, ret_bytes) < 0 || *ret_bytes % PAGE_SIZE)
		return -EINVAL;
	return *ret_bytes < LEAST || *ret_bytes > MOST ? -ERANGE : 0;
}

/* "FROM..TO" or "FROM..TO:xN", or one size. *ret_factor: N; NULL: there is none. */
static int parse_sweep(const char *arg, uint64_t *ret_from, uint64_t *ret_to, const char **ret_factor)
{
	const char *to = strstr(arg, ".."), *factor = strchr(arg, ':');
	int r;

	*ret_factor = factor ? factor + 2 : NULL;
	if (factor && (!to || factor < to || factor[1] != 'x'))
		return -EINVAL;
	r = parse_end(arg, to ? (size_t)(to - arg) : strlen(arg), ret_from);
	*ret_to = *ret_from;
	if (r == 0 && to)
		r = parse_end(to + 2, factor ? (size_t)(factor - to - 2) : strlen(to + 2), ret_to);
	return r;
}

int bench_parse_sizes(const char *arg, struct bench_mappings *m)
{
	uint64_t from, to;
	long factor = FACTOR;
	const char *times;
	const int r = parse_sweep(arg, &from, &to, &times);

	if (r == -ERANGE)
		log_error("--ws: '%s' goes beyond 64K..1G", arg);
	else if (r < 0 || from > to)
		log_error("--ws: '%s' is neither a size nor FROM..TO:xN, in whole pages of 4 KiB", arg);
	if (r < 0 || from > to || (times && parse_count("--ws: the factor", times, 2, MOST / LEAST, &factor) < 0))
		return -EINVAL;
	m->nr_sizes = 0;
	for (uint64_t bytes = from; bytes <= to; bytes *= factor)
		m->sizes[m->nr_sizes++] = bytes / PAGE_SIZE;
	return 0;
}
