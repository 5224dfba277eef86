/* SPDX-License-Identifier: MIT */
/*
 * A tree as text, a line per run of contiguous pages of one size with one set of attributes:
 *
 *     0000000000200000-00000000005fffff -> 0000000010200000 rwx-ad------ 2M
 *     first            last                pa               attributes   page size [owner N]
 *
 * Tables of others (dump.h) show fewer attributes.
 *
 * Parts: a line of text; runs as lines; the walk of a tree; the walk of tables of others; one entry bit by bit.
 */
#include <string.h>

#include "pgtable/dump.h"
#include "pgtable/internal.h"
#include "pgtable/visit.h"

#define ALL_ATTRS     (PT_RWX | PT_U | PT_AD | PT_MMIO | PT_G | PT_SW)
#define FOREIGN_ATTRS (PT_RWX | PT_U | PT_AD | PT_G)

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

/* A letter or a dash for each of the attributes `shown`. */
static void put_attrs(struct text *t, pt_attrs_t attrs, pt_attrs_t shown)
{
	static const char letter[] = "rwxuadmg0123"; /* by bit number of PT_R, PT_W, ... */
	char text[sizeof(letter)] = "";
	size_t n = 0;

	for (size_t i = 0; i < sizeof(letter) - 1; i++)
		if (shown >> i & 1)
			text[n++] = attrs >> i & 1 ? letter[i] : '-';
	put(t, text);
}

struct run {
	uint64_t first, last, pa;
	pt_attrs_t attrs;
	int level; /* 0: none */
};

struct lines {
	const struct pt_format *fmt;
	pt_attrs_t shown;
	void (*emit)(void *ctx, const char *line);
	void *ctx;
	struct run run; /* that may go on */
};

static void end_run(struct lines *l)
{
	static const char unit[][2] = {"K", "M", "G", "T"};
	const struct run *run = &l->run;
	struct text t = {.len = 0};
	unsigned shift;

	if (!run->level)
		return;
	shift = l->fmt->level[run->level].shift - 10;
	put_address(&t, run->first);
	put(&t, "-");
	put_address(&t, run->last);
	put(&t, " -> ");
	put_address(&t, run->pa);
	put(&t, " ");
	put_attrs(&t, run->attrs, l->shown);
	put(&t, " ");
	put_decimal(&t, 1u << shift % 10);
	put(&t, unit[shift / 10]);
	if (run->attrs & PT_OWNER_MASK) {
		put(&t, " owner ");
		put_decimal(&t, (run->attrs & PT_OWNER_MASK) >> PT_OWNER_SHIFT);
	}
	l->emit(l->ctx, t.line);
	l->run.level = 0;
}

static void add_leaf(struct lines *l, uint64_t va, int level, pte_t leaf)
{
	const uint64_t pa = l->fmt->address(leaf, level), last = va + pt_span(l->fmt, level) - 1;
	const pt_attrs_t attrs = l->fmt->get_attrs(leaf, level);
	struct run *run = &l->run;

	if (run->level == level && run->attrs == attrs && run->last + 1 == va && run->pa + (va - run->first) == pa) {
		run->last = last;
		return;
	}
	end_run(l);
	*run = (struct run){.first = va, .last = last, .pa = pa, .attrs = attrs, .level = level};
}

void pt_dump(struct pt *pt, void (*emit)(void *ctx, const char *line), void *ctx)
{
	struct lines lines = {.fmt = pt->fmt, .shown = ALL_ATTRS, .emit = emit, .ctx = ctx};
	struct pt_iter it;

	pt_for_each (&it, pt, 0, UINT64_MAX, 1)
		if (pt->fmt->is_leaf(it.old, it.level))
			add_leaf(&lines, it.va, it.level, it.old);
	end_run(&lines);
}

struct foreign {
	struct pt_foreign *asked;
	struct pt_visit visit;
	struct lines lines;
};

static void add_foreign(void *ctx, const struct pt_step *step, uint64_t va)
{
	struct foreign *f = ctx;

	if (f->asked->fmt->is_leaf(step->entry, step->level))
		add_leaf(&f->lines, va, step->level, step->entry);
	f->visit.cut |= f->asked->cut;
}

void pt_dump_foreign(struct pt_foreign *asked, uint64_t root)
{
	struct foreign f = {
	    .asked = asked,
	    .visit = {.source = {.fmt = asked->fmt, .root = root, .entry = asked->entry, .ctx = asked->ctx},
	              .entry = add_foreign,
	              .ctx = &f,
	              .last = UINT64_MAX,
	              .tables_left = asked->tables_left,
	              .cut = asked->cut},
	    .lines = {.fmt = asked->fmt, .shown = FOREIGN_ATTRS, .emit = asked->emit, .ctx = asked->ctx},
	};

	pt_visit_foreign(&f.visit);
	asked->tables_left = f.visit.tables_left;
	asked->cut |= f.visit.cut;
	end_run(&f.lines);
}

int pt_entry_flags(const struct pt_format *fmt, pte_t e, int level, struct pt_flag ret_flags[PT_FLAGS_MAX])
{
	/* What holds of an entry without any bit needs none, or is taken away by one. */
	const pt_attrs_t granted = fmt->get_attrs(pte_init(0), level);
	const bool present = fmt->is_present(e, level);
	const pt_attrs_t has = present ? fmt->get_attrs(e, level) : granted, denied = granted & ~has;
	const struct {
		const char *name;
		bool told, set;
	} all[PT_FLAGS_MAX] = {
	    {"P", true, present},
	    {"R", !(granted & PT_R), has & PT_R},
	    {"W", true, has & PT_W},
	    {"U", fmt->attrs & PT_U, has & PT_U},
	    {granted & PT_X ? "NX" : "X", true, granted & PT_X ? denied & PT_X : has & PT_X},
	    {"A", fmt->attrs & PT_A, has & PT_A},
	    {"D", fmt->attrs & PT_D, has & PT_D},
	    {"PS", true, level > 1 && (fmt->is_leaf(e, level) || (present && pte_raw(e) & fmt->page_size_bit))},
	    {"G", fmt->attrs & PT_G, has & PT_G},
	};
	int nr = 0;

	for (int i = 0; i < PT_FLAGS_MAX; i++)
		if (all[i].told)
			ret_flags[nr++] = (struct pt_flag){all[i].name, all[i].set};
	return nr;
}
