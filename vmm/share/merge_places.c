/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdlib.h>

#include "mem/file_maps.h"
#include "mem/page_kind.h"
#include "share/merge.h"

/* What a page is: nothing, one of the guest's own, or a file's. */
struct place {
	uint64_t store, offset;
	bool costs;
};

struct places {
	struct place *page;
	uint64_t pages;
};

static void add_file(void *ctx, uint64_t at, uint64_t size, uint64_t inode, uint64_t offset)
{
	struct places *p = ctx;

	for (uint64_t i = at / PAGE_SIZE; i < (at + size) / PAGE_SIZE; i++)
		p->page[i] = (struct place){.store = inode, .offset = offset + i * PAGE_SIZE - at, .costs = true};
}

/* A page that was written is no file's any more. */
static void add_own(const struct merge *m, const uint8_t *host, struct places *p)
{
	uint8_t kind[PAGE_KIND_PAGES];

	for (uint64_t first = 0; first < p->pages; first += PAGE_KIND_PAGES) {
		const uint64_t rest = p->pages - first;
		const unsigned n = rest < PAGE_KIND_PAGES ? (unsigned)rest : PAGE_KIND_PAGES;

		page_kind_find(m->pagemap, host + first * PAGE_SIZE, n, kind);
		for (unsigned i = 0; i < n; i++)
			if (kind[i] == PAGE_OWN)
				p->page[first + i] = (struct place){.costs = true};
	}
}

static bool goes_on(const struct place *first, uint64_t n)
{
	return first[n].costs && first[n].store == first->store &&
	       (!first->store || first[n].offset == first->offset + n * PAGE_SIZE);
}

static int tell(const struct merge *m, gpa_t gpa, uint8_t *host, uint64_t size, merge_run_fn fn, void *ctx)
{
	struct places p = {.pages = size / PAGE_SIZE};
	int r;

	p.page = calloc(p.pages, sizeof(*p.page));
	if (!p.page)
		return -ENOMEM;
	r = m->mem->mapped_file ? file_maps_find(host, size, add_file, &p) : 0;
	if (r == 0)
		add_own(m, host, &p);
	for (uint64_t i = 0, n; r == 0 && i < p.pages; i += n ? n : 1) {
		for (n = 0; i + n < p.pages && goes_on(&p.page[i], n); n++)
			;
		if (n)
			fn(ctx, &(struct merge_run){.gpa = gpa_add(gpa, i * PAGE_SIZE),
			                            .size = n * PAGE_SIZE,
			                            .store = p.page[i].store,
			                            .offset = p.page[i].offset});
	}
	free(p.page);
	return r;
}

int merge_places(const struct merge *m, gpa_t gpa, uint64_t size, merge_run_fn fn, void *ctx)
{
	int r = 0;

	for (uint64_t off = 0, n; r == 0 && off < size; off += n) {
		uint8_t *host = merge_page(m, gpa_add(gpa, off));

		for (n = PAGE_SIZE; host && off + n < size; n += PAGE_SIZE)
			if (merge_page(m, gpa_add(gpa, off + n)) != host + n)
				break;
		if (host)
			r = tell(m, gpa_add(gpa, off), host, n, fn, ctx);
	}
	return r;
}
