/* SPDX-License-Identifier: MIT */
#include "enclave/stage.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static uint64_t table_bytes(const struct enclave_stage *s3, int level)
{
	return pt_nr_entries(&s3->format, level) * sizeof(uint64_t);
}

/* The engine does not say for which level it wants a table: the first is the root, and all others have 512 entries. */
static struct pt_table *table_alloc(void *ctx)
{
	struct enclave_stage *s3 = ctx;
	const uint64_t bytes = table_bytes(s3, s3->used ? 1 : s3->format.levels);
	struct pt_table *table = s3->free;

	if (table) {
		s3->free = table->next;
		memset(table->entry, 0, bytes);
		return table;
	}
	if (s3->used == s3->nr_tables)
		return NULL;
	table = &s3->table[s3->used];
	table->entry = calloc(1, bytes);
	if (!table->entry)
		return NULL;
	table->address = s3->used++ * PAGE_SIZE;
	return table;
}

static void table_free(void *ctx, struct pt_table *table)
{
	struct enclave_stage *s3 = ctx;

	table->next = s3->free;
	s3->free = table;
}

static struct pt_table *table_find(void *ctx, uint64_t address)
{
	const struct enclave_stage *s3 = ctx;
	const uint64_t n = address / PAGE_SIZE;

	return n < s3->used && address % PAGE_SIZE == 0 ? &s3->table[n] : NULL;
}

static const struct pt_ops ops = {.alloc = table_alloc, .free = table_free, .find = table_find};

/* pt_enclave with fewer levels: the top one has as many entries as the frames need. */
static void make_format(struct pt_format *f, uint64_t frames, int levels)
{
	struct pt_level *top = &f->level[levels];

	*f = pt_enclave;
	f->levels = levels;
	while (levels < pt_enclave.levels && pt_nr_entries(f, levels) * pt_span(f, levels) < frames * PAGE_SIZE)
		top->bits++;
	for (int level = 2; level <= levels; level++)
		f->level[level].leaf = false; /* each page has an address of its own */
}

int enclave_stage_init(struct enclave_stage *s3, uint64_t frames, int levels)
{
	int r;

	if ((levels != 1 && levels != 2 && levels != 4) || !frames || frames > 1ull << 24)
		return -EINVAL;
	*s3 = (struct enclave_stage){.frames = frames, .nr_tables = 1};
	make_format(&s3->format, frames, levels);
	for (int level = 1; level < levels; level++)
		s3->nr_tables += (frames * PAGE_SIZE - 1) / pt_span(&s3->format, level + 1) + 1;
	s3->nr_tables += pt_enclave.levels; /* those that the engine has in hand */
	s3->table = calloc(s3->nr_tables, sizeof(*s3->table));
	r = s3->table ? pt_init(&s3->pt, &s3->format, &ops, s3) : -ENOMEM;
	if (r < 0)
		enclave_stage_destroy(s3);
	return r;
}

void enclave_stage_destroy(struct enclave_stage *s3)
{
	if (s3->pt.root)
		pt_destroy(&s3->pt);
	for (unsigned i = 0; s3->table && i < s3->used; i++)
		free(s3->table[i].entry);
	free(s3->table);
	*s3 = (struct enclave_stage){0};
}

bool enclave_stage_lookup(struct enclave_stage *s3, maddr_t at, struct enclave_frame *ret)
{
	struct pt_mapping m;

	if (maddr_raw(at) / PAGE_SIZE >= s3->frames || pt_lookup(&s3->pt, maddr_raw(at) & PAGE_MASK, &m) < 0)
		return false;
	*ret = (struct enclave_frame){
	    .owner = (m.attrs & PT_OWNER_MASK) >> PT_OWNER_SHIFT,
	    .rights = m.attrs & PT_RWX,
	    .may_appear = m.pa,
	};
	return true;
}

bool enclave_stage_check(struct enclave_stage *s3, maddr_t at, unsigned *ret_reads)
{
	const uint64_t frame = maddr_raw(at) & PAGE_MASK;
	struct pt_iter it;
	unsigned reads = 0;
	bool owned = false;

	if (frame / PAGE_SIZE >= s3->frames)
		return false;
	pt_for_each (&it, &s3->pt, frame, frame, 1) {
		reads++;
		owned = s3->format.is_leaf(it.old, it.level);
	}
	*ret_reads = reads;
	return owned;
}

int enclave_stage_assign(struct enclave_stage *s3, maddr_t at, uint64_t nr, const struct enclave_frame *first)
{
	struct pt_gather g = PT_GATHER_INIT;
	struct enclave_frame there;
	int r;

	BUG_ON(page_offset(maddr_raw(at)) || maddr_raw(at) / PAGE_SIZE + nr > s3->frames);
	for (uint64_t i = 0; i < nr; i++)
		if (enclave_stage_lookup(s3, maddr_add(at, i * PAGE_SIZE), &there))
			return -EEXIST;
	r = pt_map(&s3->pt, maddr_raw(at), nr * PAGE_SIZE, first->may_appear, PT_OWNER(first->owner) | first->rights, 1,
	           &g);
	BUG_ON(r == -EINVAL);
	pt_gather_finish(&s3->pt, &g); /* no CPU walks it */
	return r;
}

void enclave_stage_release(struct enclave_stage *s3, maddr_t at, uint64_t size)
{
	struct pt_gather g = PT_GATHER_INIT;

	BUG_ON(pt_zap(&s3->pt, maddr_raw(at) & PAGE_MASK, size, &g) < 0); /* splits nothing: needs no memory */
	pt_gather_finish(&s3->pt, &g);
}

uint64_t enclave_stage_bytes(const struct enclave_stage *s3)
{
	return table_bytes(s3, s3->format.levels) + (s3->pt.tables - 1) * table_bytes(s3, 1);
}
