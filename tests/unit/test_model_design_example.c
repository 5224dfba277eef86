/* SPDX-License-Identifier: MIT */
/* The example of docs/model.md is a design: built as it stands there, native and in either dimension of a pair. */
#include <criterion/criterion.h>

#include "model/design/designs.h"
#include "model/design/memory.h"
#include "model/design/radix.h"

extern const struct model_design model_design_window;

static struct walker *make_window(struct model_memory *memory, enum model_dimension dimension)
{
	const struct model_args args = {.design = &model_design_window};
	struct walker *w;

	cr_assert_eq(model_design_window.create(&args, memory, dimension, &w), 0);
	return w;
}

static struct walker *make_radix(struct model_memory *memory, enum model_dimension dimension)
{
	struct walker *w;

	cr_assert_eq(model_radix_create(&pt_x86_64, memory, dimension, &w), 0);
	return w;
}

static struct model_memory *make_memory(void)
{
	struct model_memory *m;

	cr_assert_eq(model_memory_create(1 << 30, 64 << 20, &m), 0);
	return m;
}

static struct walker *make_pair(struct walker *make_guest(struct model_memory *, enum model_dimension),
                                struct walker *make_host(struct model_memory *, enum model_dimension))
{
	const struct model_backing backing = {.page_shift = 12};
	struct model_memory *machine = make_memory(), *memory = make_memory();
	struct walker *w;

	cr_assert_eq(
	    model_pair_create(make_guest(memory, MODEL_GUEST), make_host(machine, MODEL_HOST), memory, &backing, &w),
	    0);
	model_memory_put(machine);
	model_memory_put(memory);
	return w;
}

/* References of a walk to one page. */
static void expect_refs(struct walker *w, unsigned refs)
{
	struct model_usage usage;
	struct model_walk walk;
	uint64_t pa;

	cr_assert_eq(model_memory_page(w->memory, 12, &pa), 0);
	cr_assert_eq(walker_map(w, 0x5000, pa, 12, PT_RWX), 0);
	walker_walk(w, 0x5123, &walk);
	cr_expect(walk.mapped);
	cr_expect_eq(walk.nr, refs);
	walker_walk(w, 0x6123, &walk);
	cr_expect(!walk.mapped);
	walker_usage(w, &usage);
	cr_expect_eq(usage.pages, 1);
	walker_destroy(w);
}

Test(model_design_example, is_a_design)
{
	struct model_memory *m = make_memory();

	expect_refs(make_window(m, MODEL_GUEST), 1);
	model_memory_put(m);
	expect_refs(make_pair(make_window, make_radix), 4 + 1 + 4);
	expect_refs(make_pair(make_radix, make_window), 4 * 2 + 1);
	expect_refs(make_pair(make_window, make_window), 3);
}
