/* SPDX-License-Identifier: MIT */
#include "share/descent.h"

struct descent {
	const struct descent_side *a, *b;
	uint64_t end; /* pages behind it are absent in both */
	descent_fn differ;
	void *ctx;
	struct descent_result result;
	uint64_t first, pages; /* the range that may go on; 0 pages: there is none */
};

static void end_range(struct descent *d)
{
	if (!d->pages)
		return;
	d->result.ranges++;
	d->result.pages += d->pages;
	if (d->differ)
		d->differ(d->ctx, d->first, d->pages);
	d->pages = 0;
}

static void add_page(struct descent *d, uint64_t page)
{
	if (d->first + d->pages != page)
		end_range(d);
	if (!d->pages)
		d->first = page;
	d->pages++;
}

/* Nodes of a level from `first` on, up to the end of memory and to SHARE_FANOUT. */
static unsigned children(const struct descent *d, int level, uint64_t first)
{
	const uint64_t nodes = (d->end + share_span(level) - 1) / share_span(level) - first;

	return nodes < SHARE_FANOUT ? nodes : SHARE_FANOUT;
}

/* Compares the nodes of a level from `first` on, all of one parent, and goes below those that differ. */
static int compare(struct descent *d, int level, uint64_t first)
{
	const unsigned count = children(d, level, first);
	struct share_digest a[SHARE_FANOUT], b[SHARE_FANOUT];
	int r = d->a->hashes(d->a->ctx, level, first, count, a);

	if (r == 0)
		r = d->b->hashes(d->b->ctx, level, first, count, b);
	if (r < 0)
		return r;
	d->result.hashes += count;
	for (unsigned i = 0; r == 0 && i < count; i++) {
		d->result.comparisons++;
		if (share_digest_equal(&a[i], &b[i]))
			continue;
		if (level == 0)
			add_page(d, first + i);
		else
			r = compare(d, level - 1, (first + i) * SHARE_FANOUT);
	}
	return r;
}

int descent_run(const struct descent_side *a, const struct descent_side *b, descent_fn differ, void *ctx,
                struct descent_result *ret_result)
{
	struct descent d = {
	    .a = a, .b = b, .end = a->pages > b->pages ? a->pages : b->pages, .differ = differ, .ctx = ctx};
	int r = compare(&d, SHARE_LEVELS, 0);

	end_range(&d);
	if (r == 0)
		*ret_result = d.result;
	return r;
}
