/* SPDX-License-Identifier: MIT */
#include "pgtable/visit.h"

/* The table at `at`, whose first entry maps `linear`, sign extension off. */
static void visit_table(struct pt_visit *v, uint64_t at, int level, uint64_t linear)
{
	const struct pt_format *fmt = v->source.fmt;
	struct pt_step step = {.level = level, .at = at};

	if (v->cut || !v->source.entry(v->source.ctx, at, &step.entry))
		return;
	if (v->tables_left == 0) {
		v->cut = true;
		return;
	}
	v->tables_left--;
	for (uint64_t i = 0; i < pt_nr_entries(fmt, level) && !v->cut; i++) {
		const uint64_t below = linear | i << fmt->level[level].shift;

		step.at = at + i * sizeof(step.entry);
		if (below > v->last || below + pt_span(fmt, level) - 1 < v->first)
			continue;
		if (!v->source.entry(v->source.ctx, step.at, &step.entry))
			break;
		if (!fmt->is_present(step.entry, level))
			continue;
		v->entry(v->ctx, &step, pt_canonical(fmt, below));
		if (!fmt->is_leaf(step.entry, level))
			visit_table(v, fmt->address(step.entry, level), level - 1, below);
	}
}

void pt_visit_foreign(struct pt_visit *v)
{
	visit_table(v, v->source.root, v->source.fmt->levels, 0);
}
