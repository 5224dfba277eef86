/* SPDX-License-Identifier: MIT */
#include "pgtable/path.h"

void pt_path_foreign(const struct pt_source *s, uint64_t va, struct pt_path *ret_path)
{
	const struct pt_format *fmt = s->fmt;
	struct pt_path p = {.to = s->root};

	for (int level = fmt->levels; level >= 1; level--) {
		struct pt_step *step = &p.step[p.nr];

		step->level = level;
		step->at = p.to + pt_index(fmt, va, level) * sizeof(pte_t);
		if (!s->entry(s->ctx, step->at, &step->entry)) {
			p.outside = true;
			break;
		}
		p.nr++;
		if (!fmt->is_present(step->entry, level))
			break;
		p.to = fmt->address(step->entry, level);
		p.mapped = fmt->is_leaf(step->entry, level);
		if (p.mapped) {
			p.to += va & (pt_span(fmt, level) - 1);
			break;
		}
	}
	*ret_path = p;
}
