/* SPDX-License-Identifier: MIT */
#include "model/design/memory.h"

#include <errno.h>
#include <gnomon/addr.h>
#include <stdlib.h>
#include <sys/mman.h>

#define LARGEST (1ull << 52)

/* Behind so many bytes the host may take large pages: a walk reads all over what is large. */
#define SMALL PAGE_2M

void *model_reserve(uint64_t bytes)
{
	void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (at == MAP_FAILED)
		return NULL;
	if (bytes > SMALL)
		(void)madvise((uint8_t *)at + SMALL, bytes - SMALL, MADV_HUGEPAGE);
	return at;
}

void model_unreserve(void *at, uint64_t bytes)
{
	if (at)
		munmap(at, bytes);
}

int model_memory_create(uint64_t data, uint64_t limit, struct model_memory **ret_memory)
{
	struct model_memory *m;

	if (!data || !limit || page_offset(data) || page_offset(limit) || data > LARGEST || limit > LARGEST)
		return -EINVAL;
	m = calloc(1, sizeof(*m));
	if (!m)
		return -ENOMEM;
	m->bytes = model_reserve(limit);
	if (!m->bytes) {
		free(m);
		return -ENOMEM;
	}
	m->data = data;
	m->limit = limit;
	m->data_top = PAGE_SIZE;
	m->table_top = data;
	m->holders = 1;
	*ret_memory = m;
	return 0;
}

struct model_memory *model_memory_get(struct model_memory *m)
{
	m->holders++;
	return m;
}

void model_memory_put(struct model_memory *m)
{
	if (!m || --m->holders)
		return;
	model_unreserve(m->bytes, m->limit);
	free(m->page);
	free(m);
}

/* From what no page was cut of yet. */
static int take_fresh(struct model_memory *m, int shift, uint64_t *ret_address)
{
	const uint64_t at = round_up(m->data_top, 1ull << shift);

	if (at >= m->data || m->data - at < 1ull << shift)
		return -ENOSPC;
	m->data_top = at + (1ull << shift);
	*ret_address = at;
	return 0;
}

/* Small pages are cut out of large ones, so that sizes that take turns leave no gaps. */
static int take(struct model_memory *m, int shift, uint64_t *ret_address)
{
	const int larger = shift == 12 ? 0 : 1;

	if (shift == 30)
		return take_fresh(m, shift, ret_address);
	if (m->next[larger] == m->end[larger]) {
		uint64_t at;

		if (take(m, shift + 9, &at) < 0)
			return take_fresh(m, shift, ret_address);
		m->next[larger] = at;
		m->end[larger] = at + (1ull << (shift + 9));
	}
	*ret_address = m->next[larger];
	m->next[larger] += 1ull << shift;
	return 0;
}

int model_memory_page(struct model_memory *m, int shift, uint64_t *ret_address)
{
	uint64_t at;
	int r;

	BUG_ON(shift != 12 && shift != 21 && shift != 30);
	if (m->nr_pages == m->room) {
		const size_t room = m->room ? 2 * m->room : 64;
		uint64_t *page = realloc(m->page, room * sizeof(*page));

		if (!page)
			return -ENOMEM;
		m->page = page;
		m->room = room;
	}
	r = take(m, shift, &at);
	if (r < 0)
		return r;
	m->page[m->nr_pages++] = at | shift;
	*ret_address = at;
	return 0;
}

int model_memory_table(struct model_memory *m, uint64_t bytes, uint64_t *ret_address)
{
	const uint64_t at = round_up(m->table_top, bytes >= PAGE_2M ? PAGE_2M : PAGE_SIZE);

	BUG_ON(page_offset(bytes));
	if (at - m->data > m->limit || bytes > m->limit - (at - m->data))
		return -ENOMEM;
	m->table_top = at + bytes;
	*ret_address = at;
	return 0;
}

void model_memory_free(struct model_memory *m, uint64_t address, uint64_t bytes)
{
	/* Advice only: what the host does not take back costs memory, nothing else. */
	(void)madvise(model_memory_at(m, address), bytes, MADV_DONTNEED);
}

int model_memory_news(const struct model_memory *m, struct model_memory_seen *seen,
                      int (*use)(void *ctx, uint64_t first, uint64_t bytes), void *ctx)
{
	const uint64_t table_bytes = m->table_top - m->data;
	int r = 0;

	if (seen->table_bytes < table_bytes)
		r = use(ctx, m->data + seen->table_bytes, table_bytes - seen->table_bytes);
	if (r < 0)
		return r;
	seen->table_bytes = table_bytes;
	for (; r == 0 && seen->pages < m->nr_pages; seen->pages += r == 0) {
		const uint64_t page = m->page[seen->pages];

		r = use(ctx, page & PAGE_MASK, 1ull << (page & ~PAGE_MASK));
	}
	return r;
}
