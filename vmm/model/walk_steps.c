/* SPDX-License-Identifier: MIT */
#include "model/walk_steps.h"

#include <gnomon/addr.h>
#include <gnomon/x86.h>

static bool is_canonical(int levels, uint64_t va)
{
	const int64_t top = (int64_t)va >> (PAGE_SHIFT + 9 * levels - 1);

	return top == 0 || top == -1;
}

bool walk_steps(const struct walk_tables *tables, uint64_t va, struct walk_steps *ret)
{
	uint64_t table = tables->root, e;
	int level;

	if (!is_canonical(tables->levels, va))
		return false;
	ret->nr = 0;
	for (level = tables->levels;; level--) {
		const uint64_t at = table + (va >> (PAGE_SHIFT + 9 * (level - 1)) & 511) * sizeof(e);

		if (!tables->entry(tables->ctx, at, &e) || !(e & PTE_P))
			return false;
		ret->at[ret->nr++] = at;
		if (level == 1 || (level <= 3 && e & PTE_PS))
			break;
		table = e & PTE_ADDR;
	}
	ret->level = level;
	ret->data = (e & PTE_ADDR & ~(level_span(level) - 1)) + (va & (level_span(level) - 1));
	return true;
}
