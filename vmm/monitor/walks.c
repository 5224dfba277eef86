/* SPDX-License-Identifier: MIT */
#include "monitor/walks.h"

#include <errno.h>
#include <stdlib.h>

#include "model/walk_check.h"
#include "pgtable/ept.h"

/* Tables that the engine has in hand beyond those that it links. */
#define SPARE (2 * EPT_LEVELS)

/* The tables of stage 2: their content is ours, their frames are in the third stage. */
struct second {
	struct pt pt;
	struct pt_table *table;
	unsigned nr, used;
	struct pt_table *free;
	uint64_t next; /* frames from here on were not looked at */
};

struct count {
	const uint8_t *memory;
	const struct enclave_info *info;
	struct enclave_stage *stage;
	unsigned id;
	struct second second;
};

/* ---- the tables of a second stage ---- */

/* A frame that nobody owns becomes the enclave's. */
static bool take_frame(struct count *c, uint64_t *ret_at)
{
	struct enclave_frame there;

	while (c->second.next) {
		const maddr_t at = maddr_init(--c->second.next * PAGE_SIZE);

		if (enclave_stage_lookup(c->stage, at, &there))
			continue;
		*ret_at = maddr_raw(at);
		return enclave_stage_assign(c->stage, at, 1, &(struct enclave_frame){.owner = c->id}) == 0;
	}
	return false;
}

static struct pt_table *table_alloc(void *ctx)
{
	struct count *c = ctx;
	struct second *s = &c->second;
	struct pt_table *table = s->free;

	if (table) {
		s->free = table->next;
		return table;
	}
	if (s->used == s->nr)
		return NULL;
	table = &s->table[s->used];
	table->entry = calloc(1, PAGE_SIZE);
	if (!table->entry)
		return NULL;
	if (!take_frame(c, &table->address)) {
		free(table->entry);
		return NULL;
	}
	s->used++;
	return table;
}

/* Only those that were never linked come back: nothing is unmapped. */
static void table_free(void *ctx, struct pt_table *table)
{
	struct count *c = ctx;

	table->next = c->second.free;
	c->second.free = table;
}

static struct pt_table *table_find(void *ctx, uint64_t address)
{
	const struct second *s = &((struct count *)ctx)->second;
	const uint64_t likely =
	    s->used ? (s->table[0].address - address) / PAGE_SIZE : 0; /* take_frame() goes downwards */

	if (likely < s->used && s->table[likely].address == address)
		return &s->table[likely];
	for (unsigned i = 0; i < s->used; i++)
		if (s->table[i].address == address)
			return &s->table[i];
	return NULL;
}

static const struct pt_ops ops = {.alloc = table_alloc, .free = table_free, .find = table_find};

static uint64_t tables_size(const struct enclave_info *info)
{
	return info->size - info->create.size; /* the end of the run */
}

static int map(struct count *c, uint64_t offset, uint64_t size)
{
	struct second *s = &c->second;
	struct pt_gather g = PT_GATHER_INIT;
	const uint64_t at = maddr_raw(c->info->memory) + offset;
	const int r = pt_map(&s->pt, at, size, at, PT_RWX | PT_AD, 1, &g);

	BUG_ON(r == -EINVAL);
	pt_gather_finish(&s->pt, &g); /* no CPU walks it */
	return r;
}

/* What a sweep over `bytes` reaches: its pages, and all tables. False: there is no memory. second_end() in either case. */
static bool second_begin(struct count *c, uint64_t bytes)
{
	struct second *s = &c->second;

	s->next = c->stage->frames;
	s->nr = 2 * EPT_LEVELS + SPARE + (bytes + tables_size(c->info)) / PAGE_2M + 4;
	s->table = calloc(s->nr, sizeof(*s->table));
	if (!s->table || pt_init(&s->pt, &pt_ept, &ops, c) < 0)
		return false;
	return map(c, 0, bytes) == 0 && map(c, c->info->create.size, tables_size(c->info)) == 0;
}

static void second_end(struct count *c)
{
	struct second *s = &c->second;

	for (unsigned i = 0; i < s->used; i++) {
		enclave_stage_release(c->stage, maddr_init(s->table[i].address), PAGE_SIZE);
		free(s->table[i].entry);
	}
	free(s->table);
}

/* ---- the walk ---- */

static bool entry(void *ctx, uint64_t at, uint64_t *ret_entry)
{
	const struct count *c = ctx;
	const uint64_t offset = at - maddr_raw(c->info->memory);

	if (offset >= c->info->size)
		return false;
	*ret_entry = *(const uint64_t *)(const void *)(c->memory + at);
	return true;
}

static bool second(void *ctx, uint64_t at, struct walk_second *ret)
{
	struct count *c = ctx;
	struct pt_iter it;

	ret->nr = 0;
	pt_for_each (&it, &c->second.pt, at, at, 1)
		ret->at[ret->nr++] = it.path[it.level]->address + ept_index(at, it.level) * sizeof(uint64_t);
	if (it.level > 1 || !ept_is_leaf(it.old, 1))
		return false;
	ret->maddr = ept_address(it.old, 1) + page_offset(at);
	return true;
}

static bool check(void *ctx, uint64_t maddr, unsigned *ret_reads)
{
	return enclave_stage_check(((struct count *)ctx)->stage, maddr_init(maddr), ret_reads);
}

enum gnomon_enclave_status monitor_walks(struct enclaves *all, const uint8_t *memory, unsigned id,
                                         const uint64_t args[GNOMON_ENCLAVE_ARGS], struct monitor_walks *ret)
{
	struct enclave_info info;
	struct count c = {.memory = memory, .info = &info, .stage = enclave_stage(all), .id = id};
	struct walk_check w = {.check = check, .ctx = &c};
	struct walk_cache cache = {.size = args[MONITOR_WALKS_CACHE]};
	struct walk_check_refs refs;
	const uint64_t most = args[MONITOR_WALKS_MOST];
	uint64_t bytes;

	if (!id || id > GNOMON_ENCLAVE_MAX)
		return GNOMON_ENCLAVE_BAD_ID;
	if (!enclave_look(all, id, &info))
		return GNOMON_ENCLAVE_ABSENT;
	if (info.state < ENCLAVE_READY)
		return GNOMON_ENCLAVE_NOT_SEALED;
	if (args[MONITOR_WALKS_READING] >= WALK_NR_READINGS || args[MONITOR_WALKS_CACHE] > WALK_CACHE_MAX ||
	    (args[MONITOR_WALKS_SECOND] && args[MONITOR_WALKS_SECOND] != EPT_LEVELS))
		return GNOMON_ENCLAVE_BAD_FLAGS;
	bytes = most && most < info.create.size / PAGE_SIZE ? most * PAGE_SIZE : info.create.size;
	if (bytes / PAGE_SIZE > GNOMON_ENCLAVE_WALKS_MAX)
		return GNOMON_ENCLAVE_BAD_COUNT;
	w.tables =
	    (struct walk_tables){.root = maddr_raw(info.root), .levels = pt_x86_64.levels, .entry = entry, .ctx = &c};
	w.reading = args[MONITOR_WALKS_READING];
	w.second = args[MONITOR_WALKS_SECOND] ? second : NULL;
	if (w.second && !second_begin(&c, bytes)) {
		second_end(&c);
		return GNOMON_ENCLAVE_NO_MEMORY;
	}
	for (int sweep = 0; sweep < 2; sweep++)
		walk_check_count(&w, &cache, info.create.base, bytes, &refs);
	second_end(&c);
	*ret = (struct monitor_walks){.pages = refs.pages,
	                              .low = refs.low,
	                              .high = refs.high,
	                              .sum = refs.sum,
	                              .walked = refs.walked,
	                              .checks = refs.checks,
	                              .hits = refs.hits};
	return GNOMON_ENCLAVE_OK;
}
