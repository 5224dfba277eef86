/* SPDX-License-Identifier: MIT */
#include "stage2/stage2.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>

#define ROOT_LEVEL 4

/* A table's address in the tree is its address in the VMM. */
struct stage2_table {
	_Alignas(PAGE_SIZE) uint64_t entry[512];
	struct pt_table table;
};

static struct pt_table *table_alloc(void *ctx)
{
	struct stage2_table *t = aligned_alloc(PAGE_SIZE, sizeof(*t));

	if (!t)
		return NULL;
	*t = (struct stage2_table){.table = {.address = (uintptr_t)t->entry, .entry = t->entry}};
	return &t->table;
}

static struct stage2_table *table_at(uint64_t address)
{
	return (struct stage2_table *)(uintptr_t)address; /* `entry` comes first */
}

static void table_free(void *ctx, struct pt_table *table)
{
	free(table_at(table->address));
}

static struct pt_table *table_find(void *ctx, uint64_t address)
{
	return &table_at(address)->table;
}

static const struct pt_ops ops = {.alloc = table_alloc, .free = table_free, .find = table_find};

int stage2_init(struct stage2 *s2, const struct guest_mem *mem)
{
	int r;

	*s2 = (struct stage2){.mem = mem};
	r = pt_init(&s2->pt, &pt_ept, &ops, s2);
	for (int i = 0; r == 0 && i < mem->nr_regions; i++) {
		const struct mem_region *region = &mem->region[i];
		struct pt_gather g = PT_GATHER_INIT;

		r = pt_map(&s2->pt, maddr_raw(region->base), region->size, maddr_raw(region->base), PT_RWX, 2, &g);
		pt_gather_finish(&s2->pt, &g);
	}
	if (r < 0)
		stage2_destroy(s2);
	return r;
}

void stage2_destroy(struct stage2 *s2)
{
	if (s2->pt.root)
		pt_destroy(&s2->pt);
	*s2 = (struct stage2){0};
}

bool stage2_lookup(const struct stage2 *s2, gpa_t gpa, struct stage2_mapping *ret_mapping)
{
	const struct pt_format *fmt = &pt_ept;
	const uint64_t *table = s2->pt.root->entry;

	if (gpa_raw(gpa) > pt_linear_max(fmt))
		return false;
	for (int level = ROOT_LEVEL;; level--) {
		const pte_t e = pte_init(__atomic_load_n(&table[pt_index(fmt, gpa_raw(gpa), level)], __ATOMIC_ACQUIRE));

		if (!fmt->is_present(e, level))
			return false;
		if (fmt->is_leaf(e, level)) {
			*ret_mapping = (struct stage2_mapping){
				.maddr = maddr_init(fmt->address(e, level) | (gpa_raw(gpa) & (pt_span(fmt, level) - 1))),
				.level = level,
				.attrs = fmt->get_attrs(e, level)};
			return true;
		}
		table = table_at(fmt->address(e, level))->entry;
	}
}

void *stage2_ptr(const struct stage2 *s2, gpa_t gpa, uint64_t len)
{
	struct stage2_mapping first, m;
	uint64_t reach;

	if (!len || !stage2_lookup(s2, gpa, &first))
		return NULL;
	reach = pt_span(&pt_ept, first.level) - (gpa_raw(gpa) & (pt_span(&pt_ept, first.level) - 1));
	while (reach < len) {
		if (!stage2_lookup(s2, gpa_add(gpa, reach), &m) || m.maddr.raw != first.maddr.raw + reach)
			return NULL;
		reach += pt_span(&pt_ept, m.level);
	}
	return guest_mem_ptr(s2->mem, first.maddr, len);
}

int stage2_map(struct stage2 *s2, gpa_t gpa, uint64_t size, struct pt_gather *g)
{
	if (!guest_mem_ptr(s2->mem, maddr_init(gpa_raw(gpa)), size))
		return -EINVAL;
	return pt_map(&s2->pt, gpa_raw(gpa), size, gpa_raw(gpa), PT_RWX, 2, g);
}

int stage2_unmap(struct stage2 *s2, gpa_t gpa, uint64_t size, struct pt_gather *g)
{
	return pt_zap(&s2->pt, gpa_raw(gpa), size, g);
}
