/* SPDX-License-Identifier: MIT */
#include "pgtable/fold.h"

static void end_run(struct pt_fold *f)
{
	if (f->run.nr && !f->node(f->ctx, f, &f->run))
		f->visit.cut = true;
	f->run.nr = 0;
}

static bool goes_on(const struct pt_fold *f, const struct pt_node *n)
{
	const struct pt_format *fmt = f->visit.source.fmt;
	const struct pt_node *run = &f->run;
	const int level = run->step.level;

	return run->nr && run->leaf && n->leaf && n->step.level == level &&
	       n->step.at == run->step.at + run->nr * sizeof(pte_t) &&
	       n->to == run->to + run->nr * pt_span(fmt, level) &&
	       fmt->get_attrs(n->step.entry, level) == fmt->get_attrs(run->step.entry, level);
}

static void add(void *ctx, const struct pt_step *step, uint64_t va)
{
	struct pt_fold *f = ctx;
	const struct pt_format *fmt = f->visit.source.fmt;
	const struct pt_node n = {.step = *step,
	                          .index = pt_index(fmt, va, step->level),
	                          .nr = 1,
	                          .first = va,
	                          .last = va + pt_span(fmt, step->level) - 1,
	                          .to = fmt->address(step->entry, step->level),
	                          .leaf = fmt->is_leaf(step->entry, step->level)};

	if (goes_on(f, &n)) {
		f->run.nr++;
		f->run.last = n.last;
		return;
	}
	end_run(f);
	f->run = n;
}

void pt_fold_foreign(struct pt_fold *f)
{
	f->visit.entry = add;
	f->visit.ctx = f;
	pt_visit_foreign(&f->visit);
	end_run(f);
}
