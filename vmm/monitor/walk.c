/* SPDX-License-Identifier: MIT */
/* One walk of an enclave: its stage-1 tables, and the third stage for each machine address. */
#include <string.h>

#include "monitor/walks.h"
#include "pgtable/path.h"

struct look {
	const uint8_t *memory;
	struct enclave_info info;
	struct enclave_stage *stage;
	struct monitor_walk *walk;
};

static bool first_entry(void *ctx, uint64_t at, pte_t *ret_entry)
{
	const struct look *l = ctx;

	if (at - maddr_raw(l->info.memory) >= l->info.size)
		return false;
	memcpy(ret_entry, l->memory + at, sizeof(*ret_entry));
	return true;
}

static bool third_entry(void *ctx, uint64_t at, pte_t *ret_entry)
{
	const struct enclave_stage *s3 = ((struct look *)ctx)->stage;
	const struct pt_table *root = s3->pt.root;
	const uint64_t bytes = pt_nr_entries(&s3->format, s3->format.levels) * sizeof(*ret_entry);

	if (at - root->address < bytes) /* the one table that may be longer than a page */
		memcpy(ret_entry, &root->entry[(at - root->address) / sizeof(*ret_entry)], sizeof(*ret_entry));
	else if (at / PAGE_SIZE < s3->used)
		memcpy(ret_entry, &s3->table[at / PAGE_SIZE].entry[page_offset(at) / sizeof(*ret_entry)],
		       sizeof(*ret_entry));
	else
		return false;
	return true;
}

static void add(struct monitor_walk *w, const struct pt_step *s, int row, bool third)
{
	w->step[w->nr++] = (struct monitor_step){
	    .at = s->at, .entry = pte_raw(s->entry), .level = (uint8_t)s->level, .row = (uint8_t)row, .third = third};
}

/* What a check of this machine address reads. There is none of what is not secure memory: stub and buffer. */
static void check(struct look *l, uint64_t maddr, int row)
{
	const struct pt_source s = {
	    .fmt = &l->stage->format, .root = l->stage->pt.root->address, .entry = third_entry, .ctx = l};
	struct pt_path path;

	if (maddr / PAGE_SIZE >= l->stage->frames)
		return;
	pt_path_foreign(&s, maddr, &path);
	for (int i = 0; i < path.nr; i++)
		add(l->walk, &path.step[i], row, true);
}

void monitor_walk(struct enclaves *all, const uint8_t *memory, unsigned id, uint64_t va, struct monitor_walk *ret)
{
	struct look l = {.memory = memory, .stage = enclave_stage(all), .walk = ret};
	struct pt_source s = {.fmt = &pt_x86_64, .entry = first_entry, .ctx = &l};
	struct pt_path path;

	*ret = (struct monitor_walk){0};
	if (!enclave_look(all, id, &l.info) || l.info.state < ENCLAVE_READY || !pt_is_canonical(&pt_x86_64, va))
		return;
	s.root = maddr_raw(l.info.root);
	pt_path_foreign(&s, va, &path);
	for (int i = 0; i < path.nr; i++) {
		check(&l, path.step[i].at, path.step[i].level);
		add(ret, &path.step[i], path.step[i].level, false);
	}
	ret->mapped = path.mapped;
	if (path.mapped)
		check(&l, path.to, 0);
}
