/* SPDX-License-Identifier: MIT */
/*
 * What a running enclave sees: its stage-1 tables, in frames of its own run, built at INIT. Each leaf has been asked of
 * the third stage, which is thereby composed in: a walk by the CPU costs no more than one without it.
 *
 *   va of the enclave   -> its added pages, with their rights, for CPL 3
 *   marshalling buffer  -> the declared buffer, R and W, for CPL 3
 *   fixed               -> the stub, for CPL 0
 *
 * A and D are set from the start, so that the CPU writes to no table.
 */
#include <errno.h>
#include <string.h>

#include "enclave/internal.h"

/* ---- pages for the tables: the end of the run ---- */

static maddr_t table_frame(const struct enclave *e, uint64_t n)
{
	return maddr_add(e->memory, (e->nr_pages + n) * PAGE_SIZE);
}

static struct pt_table *table_alloc(void *ctx)
{
	struct enclave *e = ctx;
	struct pt_table *table = e->free_table;
	const maddr_t at = table_frame(e, e->tables_used);

	if (table) {
		e->free_table = table->next;
		memset(table->entry, 0, PAGE_SIZE);
		return table;
	}
	if (e->tables_used == e->nr_tables)
		return NULL;
	/* Owned, without a right and with no address: it appears nowhere. */
	if (enclave_stage_assign(&e->all->stage, at, 1, &(struct enclave_frame){.owner = e->id}) < 0)
		return NULL;
	table = &e->table[e->tables_used++];
	table->address = maddr_raw(at);
	table->entry = enclave_memory(e->all, at);
	return table;
}

static void table_free(void *ctx, struct pt_table *table)
{
	struct enclave *e = ctx;

	table->next = e->free_table;
	e->free_table = table;
}

static struct pt_table *table_find(void *ctx, uint64_t address)
{
	const struct enclave *e = ctx;
	const uint64_t first = maddr_raw(table_frame(e, 0)), n = (address - first) / PAGE_SIZE;

	return address >= first && page_offset(address) == 0 && n < e->tables_used ? &e->table[n] : NULL;
}

static const struct pt_ops ops = {.alloc = table_alloc, .free = table_free, .find = table_find};

/* Tables below the root on the way to [va, va + size). */
static uint64_t tables_of(uint64_t va, uint64_t size)
{
	const uint64_t first = pt_linear(&pt_x86_64, va), last = first + size - 1;
	uint64_t nr = 0;

	for (int level = 2; size && level <= pt_x86_64.levels; level++)
		nr += last / pt_span(&pt_x86_64, level) - first / pt_span(&pt_x86_64, level) + 1;
	return nr;
}

uint64_t enclave_view_tables(const struct enclaves *all, const struct gnomon_enclave_create *create)
{
	uint64_t nr = 1 + tables_of(create->base, create->size) + tables_of(create->buffer, create->buffer_size);

	for (unsigned i = 0; i < all->config.nr_fixed; i++)
		nr += tables_of(all->fixed[i].va, all->fixed[i].size);
	return nr;
}

/* ---- the view ---- */

static int map(struct enclave *e, uint64_t va, uint64_t size, maddr_t at, pt_attrs_t attrs)
{
	struct pt_gather g = PT_GATHER_INIT;
	const int r = pt_map(&e->view, va, size, maddr_raw(at), attrs | PT_A | (attrs & PT_W ? PT_D : 0), 1, &g);

	BUG_ON(r == -EINVAL);
	pt_gather_finish(&e->view, &g); /* it does not run */
	return r;
}

/* The third stage decides. That it has another opinion than the list of pages is a bug of ours. */
static pt_attrs_t ask_stage(struct enclave *e, uint64_t n)
{
	const uint64_t va = e->create.base + n * PAGE_SIZE;
	struct enclave_frame frame;

	BUG_ON(!enclave_stage_lookup(&e->all->stage, enclave_frame_of(e, va), &frame));
	BUG_ON(frame.owner != e->id || frame.may_appear != va || frame.rights != e->page[n].rights);
	return frame.rights;
}

/* Page *n and those after it that have its rights, whose frames are in a row, too. *n is then the next page. */
static int map_pages(struct enclave *e, uint64_t *n)
{
	const uint64_t first = *n, va = e->create.base + first * PAGE_SIZE;
	const pt_attrs_t rights = ask_stage(e, first);

	do
		++*n;
	while (*n < e->nr_pages && e->page[*n].added && ask_stage(e, *n) == rights);
	return map(e, va, (*n - first) * PAGE_SIZE, enclave_frame_of(e, va), rights | PT_U);
}

static int map_all(struct enclave *e)
{
	const struct enclaves *all = e->all;
	const struct gnomon_enclave_create *c = &e->create;
	int r = 0;

	for (uint64_t n = 0; r == 0 && n < e->nr_pages;) {
		if (e->page[n].added)
			r = map_pages(e, &n);
		else
			n++;
	}
	if (r == 0 && c->buffer)
		r = map(e, c->buffer, c->buffer_size, enclave_buffer(e), PT_R | PT_W | PT_U);
	for (unsigned i = 0; r == 0 && i < all->config.nr_fixed; i++)
		r = map(e, all->fixed[i].va, all->fixed[i].size, all->fixed[i].maddr, all->fixed[i].attrs);
	return r;
}

int enclave_view_build(struct enclave *e)
{
	int r = pt_init(&e->view, &pt_x86_64, &ops, e);

	if (r == 0)
		r = map_all(e);
	if (r < 0)
		enclave_view_destroy(e);
	return r;
}

void enclave_view_forget(struct enclave *e)
{
	if (e->view.root)
		pt_destroy(&e->view);
	e->view = (struct pt){0};
}

void enclave_view_destroy(struct enclave *e)
{
	enclave_view_forget(e);
	for (uint64_t n = 0; n < e->tables_used; n++)
		enclave_free_frame(e->all, table_frame(e, n));
	e->tables_used = 0;
	e->free_table = NULL;
}

void enclave_view_remove(struct enclave *e, uint64_t va)
{
	struct pt_gather g = PT_GATHER_INIT;

	BUG_ON(pt_zap(&e->view, va, PAGE_SIZE, &g) < 0); /* splits nothing: needs no memory */
	pt_gather_finish(&e->view, &g);
}
