/* SPDX-License-Identifier: MIT */
/* Page-table designs: the closed forms of model/walk.h come out of tables that stand, and bad parameters are refused. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "model/design/catalogue.h"
#include "model/design/memory.h"
#include "model/walk.h"

static struct model_config config;

static struct walker *make(const char *text)
{
	char why[MODEL_WHY_MAX] = "";
	struct walker *w;

	cr_assert_eq(model_design_parse(text, &config, &w, why), 0, "%s: %s", text, why);
	cr_assert_str_eq(w->name, text);
	return w;
}

static void map(struct walker *w, uint64_t va, int shift)
{
	uint64_t pa;

	cr_assert_eq(model_memory_page(w->memory, shift, &pa), 0);
	cr_assert_eq(walker_map(w, va, pa, shift, PT_RWX), 0, "%s at %#lx", w->name, va);
}

/* References of the walk to one page of 1 << shift bytes. */
static unsigned refs(const char *text, int shift)
{
	const uint64_t va = 1ull << shift;
	struct walker *w = make(text);
	struct model_walk walk;
	unsigned nr;

	map(w, w->va_bits > 31 ? va : 0, shift);
	walker_walk(w, w->va_bits > 31 ? va + 5 : 5, &walk);
	cr_assert(walk.mapped, "%s", text);
	nr = walk.nr;
	walker_destroy(w);
	return nr;
}

/* A walk reads one entry for each level above its leaf, and every pair of levels and sizes is (Lg + 1)(Lh + 1) - 1. */
Test(model_design, closed_form_of_every_pair_of_levels)
{
	char text[64];

	for (int guest = 1; guest <= 5; guest++) {
		config = MODEL_CONFIG_DEFAULT;
		snprintf(text, sizeof(text), "radix%d", guest);
		cr_expect_eq(refs(text, 12), walk_refs_1d(guest));
		for (int host = 1; host <= 5; host++) {
			snprintf(text, sizeof(text), "radix%d/radix%d", guest, host);
			cr_expect_eq(refs(text, 12), walk_refs_2d(guest, host), "%s", text);
		}
	}
}

Test(model_design, closed_form_of_every_pair_of_page_sizes)
{
	char text[64];

	for (int levels = 3; levels <= 5; levels++) {
		for (int guest = 0; guest < 3; guest++) {
			for (int host = 0; host < 3; host++) {
				config = MODEL_CONFIG_DEFAULT;
				config.backing.page_shift = 12 + 9 * host;
				snprintf(text, sizeof(text), "radix4/radix%d", levels);
				cr_expect_eq(refs(text, 12 + 9 * guest), walk_refs_2d(4 - guest, levels - host),
				             "%s, guest %d, host %d", text, guest, host);
			}
		}
	}
}
