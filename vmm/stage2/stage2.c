/* SPDX-License-Identifier: MIT */
/* Life and changes of the second stage: the engine's operations in gpa and maddr, each page bound to its own frame. */
#include "stage2/stage2.h"

#include <errno.h>

#define LEVEL_2M 2
#define AT_HAND  8 /* tables that a change wants in the pool and may not need (reclaim.c) */

/* The frame of a page for as long as the VM lives: the same number. Here alone. */
static maddr_t frame_of(gpa_t gpa)
{
	return maddr_init(gpa_raw(gpa));
}

gpa_t stage2_page_of(maddr_t frame)
{
	return gpa_init(maddr_raw(frame));
}

/* Tables that a region can need: every page mapped by 4 KiB. */
static uint64_t tables_of(const struct mem_region *r)
{
	const uint64_t first = gpa_raw(stage2_page_of(r->base)), last = first + r->size - 1;
	uint64_t nr = 0;

	for (int level = LEVEL_2M; level <= pt_ept.levels; level++)
		nr += last / pt_span(&pt_ept, level) - first / pt_span(&pt_ept, level) + 1;
	return nr;
}

int stage2_init(struct stage2 *s2, const struct guest_mem *mem)
{
	struct pt_gather g = PT_GATHER_INIT;
	uint64_t tables = 1;
	int r;

	*s2 = (struct stage2){.mem = mem};
	for (int i = 0; i < mem->nr_regions; i++)
		tables += tables_of(&mem->region[i]);
	/* As many again: those that a change has unlinked wait for its flush. */
	r = stage2_tables_init(&s2->tables, 2 * tables + AT_HAND);
	if (r == 0)
		r = pt_init(&s2->pt, &pt_ept, &stage2_table_ops, &s2->tables);
	for (int i = 0; r == 0 && i < mem->nr_regions; i++)
		r = stage2_map(s2, stage2_page_of(mem->region[i].base), mem->region[i].size, &g);
	if (r < 0)
		stage2_destroy(s2);
	return r;
}

void stage2_destroy(struct stage2 *s2)
{
	if (s2->pt.root)
		pt_destroy(&s2->pt);
	stage2_tables_destroy(&s2->tables);
	lent_destroy(&s2->lent);
	written_destroy(&s2->written);
	*s2 = (struct stage2){0};
}

bool stage2_is_ram(const struct stage2 *s2, gpa_t gpa, uint64_t size)
{
	return guest_mem_ptr(s2->mem, frame_of(gpa), size);
}

static int note(struct stage2 *s2, gpa_t gpa, uint64_t size, int r)
{
	if (r == 0)
		written_note(&s2->written, gpa, size);
	return r;
}

int stage2_map(struct stage2 *s2, gpa_t gpa, uint64_t size, struct pt_gather *g)
{
	if (!stage2_is_ram(s2, gpa, size))
		return -EINVAL;
	return note(s2, gpa, size, pt_map(&s2->pt, gpa_raw(gpa), size, maddr_raw(frame_of(gpa)), PT_RWX, LEVEL_2M, g));
}

int stage2_unmap(struct stage2 *s2, gpa_t gpa, uint64_t size, struct pt_gather *g)
{
	return stage2_is_ram(s2, gpa, size) ? note(s2, gpa, size, pt_zap(&s2->pt, gpa_raw(gpa), size, g)) : -EINVAL;
}

int stage2_split(struct stage2 *s2, gpa_t gpa, struct pt_gather *g)
{
	return stage2_is_ram(s2, gpa, 1) ? pt_split(&s2->pt, gpa_raw(gpa), 1, g) : -ENOENT;
}

int stage2_collapse(struct stage2 *s2, gpa_t gpa, struct pt_gather *g)
{
	return stage2_is_ram(s2, gpa, 1) ? pt_collapse(&s2->pt, gpa_raw(gpa), LEVEL_2M, g) : -ENOENT;
}

void stage2_dump(struct stage2 *s2, void (*emit)(void *ctx, const char *line), void *ctx)
{
	pt_dump(&s2->pt, emit, ctx);
}

int stage2_audit(struct stage2 *s2, struct pt_violation *ret_violation)
{
	struct pt_iter it;
	int err = pt_audit(&s2->pt, ret_violation);

	if (err)
		return err;
	pt_for_each (&it, &s2->pt, 0, UINT64_MAX, 1) {
		const gpa_t gpa = gpa_init(it.va);
		bool ram;

		if (!pt_ept.is_leaf(it.old, it.level))
			continue;
		ram = stage2_is_ram(s2, gpa, pt_span(&pt_ept, it.level));
		if (ram && pt_ept.address(it.old, it.level) == maddr_raw(frame_of(gpa)))
			continue;
		*ret_violation = (struct pt_violation){
		    .what = ram ? "a page leads to another's frame" : "a page lies outside the guest's memory",
		    .va = it.va,
		    .level = it.level,
		    .entry = it.old,
		};
		return -EBADMSG;
	}
	return 0;
}
