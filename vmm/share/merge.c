/* SPDX-License-Identifier: MIT */
#include "share/merge.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/pages.h"
#include "mem/page_kind.h"

#define PAGES (MERGE_SIZE / PAGE_SIZE)
#define BRIDGE                                                                                                         \
	16 /* pages: a hole in the store that is no longer is mapped with what lies around it: one mapping, not two */

/* What is looked at: pages in a row, by their place in the range. */
struct range {
	struct merge *m;
	gpa_t gpa;
	unsigned pages;
	uint8_t *host[PAGES]; /* NULL: absent */
	uint8_t kind[PAGES];  /* enum page_kind */
};

uint64_t merge_unit(const struct guest_mem *mem)
{
	return mem->backing == BACKING_THP ? PAGE_2M : PAGE_SIZE;
}

uint8_t *merge_page(const struct merge *m, gpa_t gpa)
{
	return lent_to(&m->s2->lent, gpa, PAGE_SIZE) ? NULL : stage2_ptr(m->s2, gpa, PAGE_SIZE);
}

static void look_at(struct range *r, struct merge *m, gpa_t gpa, uint64_t size)
{
	const uint8_t *whole = stage2_ptr(m->s2, gpa, size);

	_Static_assert(PAGES == PAGE_KIND_PAGES, "one question for each range");
	BUG_ON(!size || size > MERGE_SIZE || (gpa_raw(gpa) | size) & (PAGE_SIZE - 1));
	r->m = m;
	r->gpa = gpa;
	r->pages = (unsigned)(size / PAGE_SIZE);
	memset(r->kind, PAGE_OWN, sizeof(r->kind));
	if (whole)
		page_kind_find(m->pagemap, whole, r->pages, r->kind);
	for (unsigned i = 0; i < r->pages; i++)
		r->host[i] = merge_page(m, gpa_add(gpa, i * PAGE_SIZE));
}

static bool follows(const struct range *r, unsigned i, unsigned n)
{
	return r->host[i] && r->host[i + n] == r->host[i] + n * PAGE_SIZE;
}

/* What a file has at a page is there before anybody touches it. */
static bool has_content(const struct range *r, unsigned i)
{
	return r->host[i] && (r->kind[i] != PAGE_COSTS_NOTHING || r->m->mem->mapped_file) && !page_is_zero(r->host[i]);
}

/* --- into the store --- */

int merge_give(struct merge *m, gpa_t gpa, uint64_t size, uint64_t offset)
{
	struct range r;
	int e = 0;

	look_at(&r, m, gpa, size);
	for (unsigned i = 0, n; e == 0 && i < r.pages; i += n) {
		for (n = 0; i + n < r.pages && follows(&r, i, n) && has_content(&r, i + n); n++)
			;
		m->sum.given += n;
		if (n)
			e = pwrite_all(m->store, r.host[i], n * PAGE_SIZE, offset + i * PAGE_SIZE);
		else
			n = 1;
	}
	return e;
}

/* --- out of it --- */

/* The machine address of page i, which is present. */
static maddr_t frame_of(const struct range *r, unsigned i)
{
	struct stage2_mapping at = {0};

	BUG_ON(!stage2_lookup(r->m->s2, gpa_add(r->gpa, i * PAGE_SIZE), &at));
	return at.maddr;
}

/* Pages [i, i + n) are in a row and equal to the store's. */
static int map(struct range *r, unsigned i, unsigned n, uint64_t offset)
{
	struct merge *m = r->m;
	const maddr_t at = frame_of(r, i);
	const uint64_t size = n * PAGE_SIZE;
	int e;

	if (size < merge_unit(m->mem))
		return 0;
	e = guest_mem_map_file(m->mem, at, size, m->store, offset + i * PAGE_SIZE);
	if (e == 0) {
		guest_mem_populate(m->mem, at, size);
		m->sum.merged += n;
		for (unsigned k = i; k < i + n; k++)
			m->sum.freed += r->kind[k] == PAGE_OWN;
	} else if (e == -ENOSPC || e == -ENOMEM) {
		m->sum.full += n;
		e = 0;
	}
	return e;
}

/* Compares pages [first, end) with the store's, and maps what is equal. */
static int take_run(struct range *r, unsigned first, unsigned end, const uint8_t *store, uint64_t offset)
{
	int e = 0;

	for (unsigned i = first, n; e == 0 && i < end; i += n) {
		for (n = 0; i + n < end && follows(r, i, n); n++)
			if (memcmp(r->host[i + n], store + (i + n) * PAGE_SIZE, PAGE_SIZE) != 0)
				break;
		if (n) {
			e = map(r, i, n, offset);
			continue;
		}
		n = 1;
		r->m->sum.absent += !r->host[i];
		r->m->sum.differ += !!r->host[i];
	}
	return e;
}

/* Gives back what is zero of pages [first, end) and costs the host a page. */
static int drop_zeroes(struct range *r, unsigned first, unsigned end)
{
	const unsigned unit = (unsigned)(merge_unit(r->m->mem) / PAGE_SIZE);
	int e = 0;

	for (unsigned i = first, n; e == 0 && i < end; i += n ? n : 1) {
		for (n = 0; i + n < end && follows(r, i, n) && r->kind[i + n] == PAGE_OWN; n++)
			if (!page_is_zero(r->host[i + n]))
				break;
		if (n == 0 || n < unit)
			continue;
		e = guest_mem_discard(r->m->mem, frame_of(r, i), n * PAGE_SIZE);
		r->m->sum.zero += n;
	}
	return e;
}

/*
 * Which pages of the store hold something. Whoever asks a file where its data end walks all of the data: for pages that are
 * equal alone that would be the whole store for each. What is in memory is told at once, and of the rest where data begin.
 */
static void find_data(const struct range *r, uint8_t *store, uint64_t offset, uint8_t ret_data[PAGES])
{
	memset(ret_data, 0, PAGES);
	if (mincore(store, r->pages * PAGE_SIZE, ret_data) < 0)
		memset(ret_data, 0, PAGES);
	for (unsigned i = 0; i < r->pages; i++) {
		off_t data;

		if (ret_data[i] & 1)
			continue;
		data = lseek(r->m->store, (off_t)(offset + i * PAGE_SIZE), SEEK_DATA); /* it may be swapped out */
		while (i < r->pages && (data < 0 || offset + i * PAGE_SIZE < (uint64_t)data) && !(ret_data[i] & 1))
			i++;
		if (i < r->pages)
			ret_data[i] = 1;
	}
}

/* The first page from i on that holds something. */
static unsigned data_begin(const uint8_t *data, unsigned i, unsigned pages)
{
	while (i < pages && !(data[i] & 1))
		i++;
	return i;
}

/* Where what begins at page i ends. Short holes count as data. */
static unsigned data_end(const uint8_t *data, unsigned i, unsigned pages)
{
	unsigned end = i;

	for (; i < pages && i - end <= BRIDGE; i++)
		if (data[i] & 1)
			end = i + 1;
	return end;
}

int merge_take(struct merge *m, gpa_t gpa, uint64_t size, uint64_t offset)
{
	uint8_t *store = mmap(NULL, size, PROT_READ, MAP_PRIVATE, m->store, (off_t)offset);
	uint8_t data[PAGES];
	struct range r;
	int e = 0;

	/* To read a hole would fill it, at the cost of a page: only data is looked at. */
	if (store == MAP_FAILED)
		return -errno;
	look_at(&r, m, gpa, size);
	if (merge_unit(m->mem) > PAGE_SIZE) /* whole or not at all */
		memset(data, 1, sizeof(data));
	else
		find_data(&r, store, offset, data);
	for (unsigned i = 0, first, end; e == 0 && i < r.pages; i = end) {
		first = data_begin(data, i, r.pages);
		end = data_end(data, first, r.pages);
		e = drop_zeroes(&r, i, first);
		if (e == 0)
			e = take_run(&r, first, end, store, offset);
	}
	munmap(store, size);
	return e;
}

int merge_zeroes(struct merge *m, gpa_t gpa, uint64_t size)
{
	struct range r;

	look_at(&r, m, gpa, size);
	return drop_zeroes(&r, 0, r.pages);
}

int merge_advise(struct merge *m, gpa_t gpa, uint64_t size)
{
	struct range r;
	int e = 0;

	look_at(&r, m, gpa, size);
	for (unsigned i = 0, n; e == 0 && i < r.pages; i += n ? n : 1) {
		for (n = 0; i + n < r.pages && follows(&r, i, n); n++)
			;
		if (n)
			e = guest_mem_advise_equal(m->mem, frame_of(&r, i), n * PAGE_SIZE);
		if (n && e == 0)
			m->sum.merged += n;
		else
			m->sum.absent += !n;
		if (e == -ENOSPC) {
			m->sum.full += n;
			e = 0;
		}
	}
	return e;
}
