/* SPDX-License-Identifier: MIT */
#include "bench/workload/chase_line.h"

#include <errno.h>
#include <string.h>

#include "bench/line_parts.h"

/* " key=NUMBER", from 1 to 2^63 - 1 */
static int field(struct line_cursor *c, const char *key, uint64_t *ret_value)
{
	if (!line_skip(c, key) || !line_number(c, ret_value))
		return -EINVAL;
	return *ret_value == 0 || *ret_value > INT64_MAX ? -ERANGE : 0;
}

/* " key=a" is 0, " key=b" is 1. */
static int choice(struct line_cursor *c, const char *a, const char *b)
{
	return line_skip(c, a) ? 0 : line_skip(c, b) ? 1 : -EINVAL;
}

/* " refs=LOW-HIGH" or nothing */
static int references(struct line_cursor *c, struct chase_refs *ret_refs)
{
	uint64_t low, high;

	if (c->p == c->end)
		return 0;
	if (!line_skip(c, " refs=") || !line_number(c, &low) || !line_skip(c, "-") || !line_number(c, &high))
		return -EINVAL;
	if (low == 0 || low > high || high > LINE_MAX_REFS)
		return -ERANGE;
	*ret_refs = (struct chase_refs){low, high};
	return 0;
}

int chase_line_parse(const char *text, size_t len, struct chase_line *ret_line)
{
	struct line_cursor c = {text, text + len};
	struct chase_line line = {0};
	int r, kind, huge;

	r = field(&c, "chase pages=", &line.pages);
	if (r < 0)
		return r;
	kind = choice(&c, " kind=sparse", " kind=dense");
	huge = kind < 0 ? kind : choice(&c, " page=4k", " page=2m");
	if (huge < 0)
		return -EINVAL;
	line.kind = kind ? CHASE_DENSE : CHASE_SPARSE;
	line.huge = huge;
	r = field(&c, " loads=", &line.loads);
	if (r == 0)
		r = field(&c, " tsc=", &line.tsc);
	if (r == 0)
		r = references(&c, &line.refs);
	if (r == 0 && c.p != c.end)
		r = -EINVAL;
	if (r == 0)
		*ret_line = line;
	return r;
}

/* Puts a line where it belongs; `ticks` of 0 mean: not seen yet. */
static int accept_line(const struct chase_line *line, const struct chase_request *request, struct chase_ticks *ticks)
{
	double *slot;
	size_t i = 0;

	while (i < request->nr_sizes && request->pages[i] != line->pages)
		i++;
	/* The walk goes on in steps of 16 loads, so it may report up to 15 more than asked for. */
	if (i == request->nr_sizes || line->huge != request->huge || line->loads < request->loads ||
	    line->loads - request->loads > 15)
		return -EINVAL;
	slot = line->kind == CHASE_SPARSE ? &ticks[i].sparse : &ticks[i].dense;
	if (*slot > 0)
		return -EINVAL;
	*slot = (double)line->tsc / line->loads;
	if (line->kind == CHASE_SPARSE)
		ticks[i].refs = line->refs;
	return 0;
}

int chase_output_parse(const char *text, size_t len, const struct chase_request *request, struct chase_ticks *ret_ticks)
{
	struct chase_ticks ticks[CHASE_MAX_SIZES] = {0};
	const char *const end = text + len;
	struct chase_line line;

	while (text < end) {
		const char *stop = memchr(text, '\n', end - text);
		int r;

		if (!stop || chase_line_parse(text, stop - text, &line) < 0)
			return -EBADMSG;
		r = accept_line(&line, request, ticks);
		if (r < 0)
			return r;
		text = stop + 1;
	}
	for (size_t i = 0; i < request->nr_sizes; i++)
		if (ticks[i].sparse == 0 || ticks[i].dense == 0)
			return -ENODATA;
	memcpy(ret_ticks, ticks, request->nr_sizes * sizeof(*ticks));
	return 0;
}
