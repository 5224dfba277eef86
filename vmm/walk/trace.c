/* SPDX-License-Identifier: MIT */
#include "walk/trace.h"

static bool second_entry(void *ctx, uint64_t at, pte_t *ret_entry)
{
	const struct stage2 *s2 = ctx;
	const uint64_t *entry = stage2_table_entries(&s2->tables, at & PAGE_MASK);

	if (entry)
		*ret_entry = pte_init(__atomic_load_n(&entry[page_offset(at) / sizeof(*entry)], __ATOMIC_ACQUIRE));
	return entry;
}

struct pt_source trace_second_stage(const struct stage2 *s2)
{
	return (struct pt_source){
	    .fmt = &pt_ept, .root = s2->pt.root->address, .entry = second_entry, .ctx = (void *)(uintptr_t)s2};
}

/* What is read to translate `gpa`. */
static void add_second(struct trace *t, const struct pt_source *s, int row, gpa_t gpa, struct pt_path *ret_path)
{
	*ret_path = (struct pt_path){0};
	if (!s || pt_linear(s->fmt, gpa_raw(gpa)) != gpa_raw(gpa)) /* wider than the tree: nothing is looked up */
		return;
	pt_path_foreign(s, gpa_raw(gpa), ret_path);
	for (int i = 0; i < ret_path->nr; i++)
		t->ref[t->nr++] = (struct trace_ref){.fmt = s->fmt, .row = row, .step = ret_path->step[i]};
}

void trace_walk_in(const struct walk_memory *guest, const struct pt_source *second, const struct walk_mode *mode,
                   gva_t gva, struct walk_access access, struct trace *ret_trace)
{
	struct trace t = {0};
	struct pt_path path;

	guest_walk_look(guest, mode, gva, access, &t.walk);
	if (t.walk.outcome == WALK_NON_CANONICAL) {
		*ret_trace = t;
		return;
	}
	for (int level = WALK_LEVELS; level >= t.walk.level; level--) {
		const gpa_t at =
		    gpa_add(gfn_to_gpa(t.walk.table[level]), t.walk.index[level] * sizeof(t.walk.gpte[level]));

		add_second(&t, second, level, at, &path);
		if (t.walk.outcome == WALK_TABLE_OUTSIDE && level == t.walk.level)
			break; /* no entry is there */
		t.ref[t.nr++] = (struct trace_ref){
		    .fmt = &pt_x86_64, .row = level, .step = {level, gpa_raw(at), pte_init(t.walk.gpte[level].raw)}};
	}
	if (t.walk.outcome == WALK_OK) {
		add_second(&t, second, 0, t.walk.gpa, &path);
		t.has_memory = path.mapped;
		t.maddr = maddr_init(path.to);
	}
	*ret_trace = t;
}

void trace_walk(const struct stage2 *s2, const struct walk_mode *mode, gva_t gva, struct walk_access access,
                struct trace *ret_trace)
{
	const struct walk_memory guest = walk_memory_of(s2);
	const struct pt_source second = trace_second_stage(s2);

	trace_walk_in(&guest, &second, mode, gva, access, ret_trace);
}
