/* SPDX-License-Identifier: MIT */
/* From CREATE to INIT, and back to nothing: the calls that change what an enclave has. */
#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "enclave/internal.h"

/* ---- arguments ---- */

static bool is_page(uint64_t address)
{
	return page_offset(address) == 0;
}

/* Whole pages, at least one, where an enclave and its buffer may lie. */
static bool is_range(uint64_t base, uint64_t size)
{
	return is_page(base) && is_page(size) && size && base >= GNOMON_ENCLAVE_LOWEST &&
	       base < GNOMON_ENCLAVE_HIGHEST && size <= GNOMON_ENCLAVE_HIGHEST - base;
}

static bool is_buffer(const struct gnomon_enclave_create *c)
{
	if (!c->buffer)
		return !c->buffer_size;
	return is_range(c->buffer, c->buffer_size) && c->buffer_size <= GNOMON_ENCLAVE_BUFFER_MAX &&
	       (c->buffer + c->buffer_size <= c->base || c->base + c->size <= c->buffer);
}

static enum gnomon_enclave_status check_create(const struct gnomon_enclave_create *c)
{
	if (!is_range(c->base, c->size))
		return GNOMON_ENCLAVE_BAD_RANGE;
	if (c->entry < c->base || c->entry - c->base >= c->size)
		return GNOMON_ENCLAVE_BAD_ENTRY;
	if (c->stack <= c->base || c->stack - c->base > c->size || c->stack % 16)
		return GNOMON_ENCLAVE_BAD_STACK;
	if (!is_buffer(c))
		return GNOMON_ENCLAVE_BAD_BUFFER;
	return c->flags ? GNOMON_ENCLAVE_BAD_FLAGS : GNOMON_ENCLAVE_OK;
}

static bool in_enclave(const struct enclave *e, uint64_t va)
{
	return is_page(va) && va >= e->create.base && va - e->create.base < e->create.size;
}

/* False: not R, RW or RX. */
static bool take_rights(uint64_t rights, pt_attrs_t *ret)
{
	switch (rights) {
	case GNOMON_ENCLAVE_R:
		*ret = PT_R;
		return true;
	case GNOMON_ENCLAVE_R | GNOMON_ENCLAVE_W:
		*ret = PT_R | PT_W;
		return true;
	case GNOMON_ENCLAVE_R | GNOMON_ENCLAVE_X:
		*ret = PT_R | PT_X;
		return true;
	default:
		return false;
	}
}

/* ---- calls ---- */

static void forget(struct enclave *e)
{
	sodium_memzero(&e->context, sizeof(e->context));
	free(e->page);
	free(e->table);
	free(e);
}

static struct enclave *make(struct enclaves *all, unsigned id, const struct gnomon_enclave_create *create)
{
	struct enclave *e = malloc(sizeof(*e));

	if (!e)
		return NULL;
	*e = (struct enclave){.id = id, .state = ENCLAVE_BUILDING, .create = *create, .all = all};
	e->nr_pages = create->size / PAGE_SIZE;
	e->nr_tables = enclave_view_tables(all, create);
	e->page = calloc(e->nr_pages, sizeof(*e->page));
	e->table = calloc(e->nr_tables, sizeof(*e->table));
	if (e->page && e->table && enclave_find_run(all, enclave_run_size(e), &e->memory)) {
		if (all->config.claim)
			all->config.claim(all->config.ctx, e->memory, enclave_run_size(e));
		return e;
	}
	forget(e);
	return NULL;
}

enum gnomon_enclave_status enclave_create(struct enclaves *all, unsigned id, const struct gnomon_enclave_create *create)
{
	struct enclave *e;
	enum gnomon_enclave_status s = enclave_find(all, id, GNOMON_ENCLAVE_CREATE, &e);

	if (s == GNOMON_ENCLAVE_OK)
		s = check_create(create);
	if (s != GNOMON_ENCLAVE_OK)
		return s;
	if (create->size > all->config.size) /* before anything is allocated for its pages */
		return GNOMON_ENCLAVE_NO_MEMORY;
	e = make(all, id, create);
	if (!e)
		return GNOMON_ENCLAVE_NO_MEMORY;
	all->enclave[id] = e;
	return GNOMON_ENCLAVE_OK;
}

/* What the arguments say, in the order of errors. */
static enum gnomon_enclave_status check_add(const struct enclaves *all, unsigned id, const struct enclave_batch *b,
                                            struct enclave **ret_enclave, uint64_t *ret_nr, pt_attrs_t *ret_rights)
{
	const enum gnomon_enclave_status s = enclave_find(all, id, GNOMON_ENCLAVE_ADD, ret_enclave);
	const struct enclave *e = *ret_enclave;

	if (s != GNOMON_ENCLAVE_OK)
		return s;
	*ret_nr = b->pages ? b->pages : 1;
	if (!in_enclave(e, b->va) || *ret_nr > (e->create.size - (b->va - e->create.base)) / PAGE_SIZE)
		return GNOMON_ENCLAVE_BAD_ADDRESS;
	if (!take_rights(b->rights, ret_rights))
		return GNOMON_ENCLAVE_BAD_RIGHTS;
	if (*ret_nr > GNOMON_ENCLAVE_ADD_MAX)
		return GNOMON_ENCLAVE_BAD_COUNT;
	if (b->flags & ~(uint64_t)GNOMON_ENCLAVE_MEASURE)
		return GNOMON_ENCLAVE_BAD_FLAGS;
	for (uint64_t i = 0; i < *ret_nr; i++)
		if (enclave_page_at(*ret_enclave, b->va)[i].added)
			return GNOMON_ENCLAVE_PAGE_EXISTS;
	return GNOMON_ENCLAVE_OK;
}

enum gnomon_enclave_status enclave_may_add(const struct enclaves *all, unsigned id, const struct enclave_batch *batch)
{
	struct enclave *e = NULL;
	pt_attrs_t attrs;
	uint64_t nr;

	return check_add(all, id, batch, &e, &nr, &attrs);
}

enum gnomon_enclave_status enclave_add_batch(struct enclaves *all, unsigned id, const struct enclave_batch *batch,
                                             const void *content)
{
	const uint8_t *from = content;
	struct enclave *e = NULL;
	pt_attrs_t attrs;
	uint64_t nr;
	enum gnomon_enclave_status s = check_add(all, id, batch, &e, &nr, &attrs);
	int r;

	if (s != GNOMON_ENCLAVE_OK)
		return s;
	r = enclave_stage_assign(&all->stage, enclave_frame_of(e, batch->va), nr,
	                         &(struct enclave_frame){.owner = id, .rights = attrs, .may_appear = batch->va});
	BUG_ON(r == -EEXIST); /* the run is the enclave's alone */
	if (r < 0)
		return GNOMON_ENCLAVE_NO_MEMORY;
	if (nr > 1 && all->config.populate)
		all->config.populate(all->config.ctx, enclave_frame_of(e, batch->va), nr * PAGE_SIZE);
	for (uint64_t i = 0; i < nr; i++) {
		const uint64_t va = batch->va + i * PAGE_SIZE;

		memcpy(enclave_memory(all, enclave_frame_of(e, va)), from + i * PAGE_SIZE, PAGE_SIZE);
		*enclave_page_at(e, va) = (struct enclave_page){.added = true, .rights = attrs};
		if (batch->flags & GNOMON_ENCLAVE_MEASURE)
			enclave_measure_later(e, va);
	}
	e->nr_added += nr;
	return GNOMON_ENCLAVE_OK;
}

enum gnomon_enclave_status enclave_add(struct enclaves *all, unsigned id, uint64_t va, uint64_t rights,
                                       const void *content)
{
	return enclave_add_batch(all, id, &(struct enclave_batch){.va = va, .rights = rights}, content);
}

enum gnomon_enclave_status enclave_extend(struct enclaves *all, unsigned id, uint64_t va)
{
	struct enclave *e;
	struct enclave_page *page;
	enum gnomon_enclave_status s = enclave_find(all, id, GNOMON_ENCLAVE_EXTEND, &e);

	if (s != GNOMON_ENCLAVE_OK)
		return s;
	if (!in_enclave(e, va))
		return GNOMON_ENCLAVE_BAD_ADDRESS;
	page = enclave_page_at(e, va);
	if (!page->added)
		return GNOMON_ENCLAVE_NO_PAGE;
	if (page->measured)
		return GNOMON_ENCLAVE_MEASURED;
	enclave_measure_later(e, va);
	return GNOMON_ENCLAVE_OK;
}

enum gnomon_enclave_status enclave_may_init(const struct enclaves *all, unsigned id)
{
	struct enclave *e;

	return enclave_find(all, id, GNOMON_ENCLAVE_INIT, &e);
}

enum gnomon_enclave_status enclave_init(struct enclaves *all, unsigned id, const uint8_t *expected)
{
	struct enclave *e;
	const struct enclave_page *entry;
	uint8_t measurement[ENCLAVE_HASH];
	enum gnomon_enclave_status s = enclave_find(all, id, GNOMON_ENCLAVE_INIT, &e);

	if (s != GNOMON_ENCLAVE_OK)
		return s;
	entry = enclave_page_at(e, e->create.entry);
	if (!entry->added || !(entry->rights & PT_X))
		return GNOMON_ENCLAVE_BAD_ENTRY;
	while (enclave_measure_due(e))
		;
	enclave_measure(e, measurement);
	if (expected && sodium_memcmp(expected, measurement, sizeof(measurement)) != 0)
		return GNOMON_ENCLAVE_BAD_MEASUREMENT;
	if (enclave_view_build(e) < 0)
		return GNOMON_ENCLAVE_NO_MEMORY;
	memcpy(e->measurement, measurement, sizeof(measurement));
	e->state = ENCLAVE_READY;
	return GNOMON_ENCLAVE_OK;
}

void enclave_unseal(struct enclaves *all, unsigned id)
{
	struct enclave *e = all->enclave[id];

	BUG_ON(!e || e->state != ENCLAVE_READY || e->entries);
	enclave_view_destroy(e);
	memset(e->measurement, 0, sizeof(e->measurement));
	e->state = ENCLAVE_BUILDING;
}

static void drop_page(struct enclave *e, uint64_t va)
{
	if (e->state != ENCLAVE_BUILDING)
		enclave_view_remove(e, va);
	enclave_free_frame(e->all, enclave_frame_of(e, va));
	*enclave_page_at(e, va) = (struct enclave_page){0};
	e->nr_added--;
}

enum gnomon_enclave_status enclave_remove(struct enclaves *all, unsigned id, uint64_t va)
{
	struct enclave *e;
	enum gnomon_enclave_status s = enclave_find(all, id, GNOMON_ENCLAVE_REMOVE, &e);

	if (s != GNOMON_ENCLAVE_OK)
		return s;
	if (!in_enclave(e, va))
		return GNOMON_ENCLAVE_BAD_ADDRESS;
	if (!enclave_page_at(e, va)->added)
		return GNOMON_ENCLAVE_NO_PAGE;
	drop_page(e, va);
	return GNOMON_ENCLAVE_OK;
}

enum gnomon_enclave_status enclave_destroy(struct enclaves *all, unsigned id)
{
	struct enclave *e;
	enum gnomon_enclave_status s = enclave_find(all, id, GNOMON_ENCLAVE_DESTROY, &e);

	if (s != GNOMON_ENCLAVE_OK)
		return s;
	enclave_view_forget(e);
	enclave_free_run(e);
	all->enclave[id] = NULL;
	forget(e);
	return GNOMON_ENCLAVE_OK;
}
