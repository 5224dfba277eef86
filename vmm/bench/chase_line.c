/* SPDX-License-Identifier: MIT */
#include "bench/chase_line.h"

#include <errno.h>
#include <string.h>

struct cursor {
	const char *p, *end;
};

/* Steps over `word`; false when something else stands there. */
static bool skip(struct cursor *c, const char *word)
{
	const size_t len = strlen(word);

	if ((size_t)(c->end - c->p) < len || memcmp(c->p, word, len) != 0)
		return false;
	c->p += len;
	return true;
}

/* 1 to 2^63 - 1 in decimal. */
static int number(struct cursor *c, uint64_t *ret_value)
{
	const char *const start = c->p;
	bool too_large = false;
	int64_t v = 0;

	for (; c->p < c->end && *c->p >= '0' && *c->p <= '9'; c->p++) {
		too_large |= __builtin_mul_overflow(v, 10, &v);
		too_large |= __builtin_add_overflow(v, *c->p - '0', &v);
	}
	if (c->p == start)
		return -EINVAL;
	if (too_large || v == 0)
		return -ERANGE;
	*ret_value = v;
	return 0;
}

/* " key=NUMBER" */
static int field(struct cursor *c, const char *key, uint64_t *ret_value)
{
	return skip(c, key) ? number(c, ret_value) : -EINVAL;
}

/* " key=a" is 0, " key=b" is 1. */
static int choice(struct cursor *c, const char *a, const char *b)
{
	return skip(c, a) ? 0 : skip(c, b) ? 1 : -EINVAL;
}

int chase_line_parse(const char *text, size_t len, struct chase_line *ret_line)
{
	struct cursor c = {text, text + len};
	struct chase_line line;
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
