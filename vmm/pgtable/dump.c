/* SPDX-License-Identifier: MIT */
/*
 * A tree as text, a line per run of contiguous pages of one size with one set of attributes:
 *
 *     0000000000200000-00000000005fffff -> 0000000010200000 rwx-ad------ 2M
 *     first            last                pa               attributes   page size [owner N]
 *
 * Parts: a line of text; a run as a line; the walk.
 */
#include <string.h>

#include "pgtable/internal.h"

struct text {
	char line[128];
	size_t len;
};

static void put(struct text *t, const char *s)
{
	size_t n = strlen(s);

	BUG_ON(t->len + n >= sizeof(t->line));
	memcpy(t->line + t->len, s, n + 1);
	t->len += n;
}

static void put_address(struct text *t, uint64_t v)
{
	char digits[17];

	for (int i = 0; i < 16; i++)
		digits[i] = "0123456789abcdef"[v >> (60 - 4 * i) & 0xf];
	digits[16] = '\0';
	put(t, digits);
}

static void put_decimal(struct text *t, unsigned v)
{
	char digits[12];
	int at = sizeof(digits) - 1;

	digits[at] = '\0';
	do
		digits[--at] = '0' + v % 10;
	while (v /= 10);
	put(t, digits + at);
}

static void put_attrs(struct text *t, pt_attrs_t attrs)
{
	static const char letter[] = "rwxuadmg0123"; /* by bit number of PT_R, PT_W, ... */
	char text[sizeof(letter)];

	for (size_t i = 0; i < sizeof(letter) - 1; i++)
		text[i] = attrs >> i & 1 ? letter[i] : '-';
	text[sizeof(letter) - 1] = '\0';
	put(t, text);
}

struct run {
	uint64_t first, last, pa;
	pt_attrs_t attrs;
	int level; /* 0: none */
};

static void emit_run(const struct pt_format *fmt, const struct run *run, void (*emit)(void *, const char *), void *ctx)
{
	static const char unit[][2] = {"K", "M", "G", "T"};
	unsigned shift = fmt->level[run->level].shift - 10;
	struct text t = {.len = 0};

	put_address(&t, run->first);
	put(&t, "-");
	put_address(&t, run->last);
	put(&t, " -> ");
	put_address(&t, run->pa);
	put(&t, " ");
	put_attrs(&t, run->attrs);
	put(&t, " ");
	put_decimal(&t, 1u << shift % 10);
	put(&t, unit[shift / 10]);
	if (run->attrs & PT_OWNER_MASK) {
		put(&t, " owner ");
		put_decimal(&t, (run->attrs & PT_OWNER_MASK) >> PT_OWNER_SHIFT);
	}
	emit(ctx, t.line);
}

void pt_dump(struct pt *pt, void (*emit)(void *ctx, const char *line), void *ctx)
{
	const struct pt_format *fmt = pt->fmt;
	struct run run = {.level = 0};
	struct pt_iter it;

	pt_for_each (&it, pt, 0, UINT64_MAX, 1) {
		struct run leaf = {.first = it.va, .last = it.va + pt_span(fmt, it.level) - 1, .level = it.level};

		if (!fmt->is_leaf(it.old, it.level))
			continue;
		leaf.pa = fmt->address(it.old, it.level);
		leaf.attrs = fmt->get_attrs(it.old, it.level);
		if (run.level == leaf.level && run.attrs == leaf.attrs && run.last + 1 == leaf.first &&
		    run.pa + (leaf.first - run.first) == leaf.pa) {
			run.last = leaf.last;
			continue;
		}
		if (run.level)
			emit_run(fmt, &run, emit, ctx);
		run = leaf;
	}
	if (run.level)
		emit_run(fmt, &run, emit, ctx);
}
