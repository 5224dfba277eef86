/* SPDX-License-Identifier: MIT */
/* Pages that are mapped and unmapped in any order, in every design: what is there is what a list of them says. */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "model/design/catalogue.h"
#include "model/design/memory.h"
#include "model/design/random.h"

#define PAGES 400
#define LARGE 8 /* of them have 2 MiB */
#define STEPS 12000

static const char *const designs[] = {"radix4",
                                      "radix5",
                                      "sv39",
                                      "flat:18+18",
                                      "inverted",
                                      "chain:slots=64",
                                      "linear:slots=64",
                                      "cluster8:slots=64",
                                      "cluster16:slots=64",
                                      "cuckoo2:slots=64",
                                      "cuckoo3:slots=64",
                                      "radix4/radix4",
                                      "linear/radix4",
                                      "radix4/cuckoo3",
                                      "inverted/chain",
                                      "shadow",
                                      "shadow(linear/linear)",
                                      "agile:0",
                                      "agile:1",
                                      "agile:2",
                                      "agile:4",
                                      "radix4+enclave2:once",
                                      "radix4/radix4+enclave2:every"};

static struct model_walk walk;

static struct walker *make(const char *text)
{
	struct model_config config = MODEL_CONFIG_DEFAULT;
	char why[MODEL_WHY_MAX] = "";
	struct walker *w;

	config.data = 256 << 20;
	cr_assert_eq(model_design_parse(text, &config, &w, why), 0, "%s: %s", text, why);
	return w;
}

static struct page {
	uint64_t va, pa;
	int shift;
	bool mapped;
} page[PAGES];

/* Some side by side, some alone. */
static void lay_out(struct walker *w)
{
	for (uint64_t i = 0; i < PAGES; i++) {
		page[i] = (struct page){.shift = i < LARGE ? 21 : 12};
		page[i].va = i < LARGE ? (i + 2048) << 21
		             : i % 2   ? i << 12
		                       : (model_mix(i) % (1 << 17) + (1 << 18)) << 12;
		cr_assert_eq(model_memory_page(w->memory, page[i].shift, &page[i].pa), 0);
	}
	for (uint64_t i = 0; i < PAGES; i++) /* no two are one */
		for (uint64_t k = LARGE; k < i; k++)
			cr_assert_neq(page[i].va, page[k].va);
}

static void change(struct walker *w, struct page *p)
{
	struct model_usage before, after;
	uint64_t pa = 0;

	if (p->mapped) {
		cr_assert_eq(walker_unmap(w, p->va, p->shift, &pa), 0, "%s: 0x%lx", w->name, p->va);
		cr_assert_eq(pa, p->pa, "%s: 0x%lx", w->name, p->va);
	} else {
		walker_usage(w, &before);
		cr_assert_eq(walker_unmap(w, p->va, p->shift, &pa), -ENOENT, "%s: 0x%lx", w->name, p->va);
		walker_usage(w, &after);
		cr_assert_eq(before.remove_refs, after.remove_refs, "%s: what removes nothing counts", w->name);
		cr_assert_eq(walker_map(w, p->va, p->pa, p->shift, PT_RWX), 0, "%s: 0x%lx", w->name, p->va);
	}
	p->mapped = !p->mapped;
}

static void expect_walk(const struct walker *w, const struct page *p, uint64_t offset, bool one_dimension)
{
	walker_walk(w, p->va + offset, &walk);
	cr_assert_eq(walk.mapped, p->mapped, "%s: 0x%lx", w->name, p->va + offset);
	cr_assert(!walk.mapped || !one_dimension || walk.pa == p->pa + offset, "%s: 0x%lx", w->name, p->va + offset);
}

static void work(const char *design)
{
	struct walker *w = make(design);
	const bool one_dimension =
	    !strchr(design, '/') && strncmp(design, "shadow", 6) != 0 && strncmp(design, "agile", 5) != 0;
	struct model_usage usage;
	uint64_t random = 5, removes = 0;

	lay_out(w);
	for (int i = 0; i < STEPS; i++) {
		struct page *p = &page[model_random_below(&random, PAGES)];

		removes += p->mapped;
		change(w, p);
		expect_walk(w, p, model_random_below(&random, 1ull << p->shift), one_dimension);
		p = &page[model_random_below(&random, PAGES)];
		expect_walk(w, p, model_random_below(&random, 1ull << p->shift), one_dimension);
	}
	for (int i = 0; i < PAGES; i++)
		if (page[i].mapped) {
			change(w, &page[i]);
			removes++;
		}
	walker_usage(w, &usage);
	cr_expect_eq(usage.pages, 0, "%s: %lu pages are left", design, usage.pages);
	cr_expect_eq(usage.removes, removes, "%s", design);
	cr_expect_geq(usage.remove_refs, 2 * removes, "%s: a removal reads an entry and clears one", design);
	walker_destroy(w);
}

Test(model_design, unmaps)
{
	for (size_t i = 0; i < sizeof(designs) / sizeof(*designs); i++)
		work(designs[i]);
}

/* Of pages that are not mapped: how many slots a walk reads. */
static double miss_cost(const struct walker *w)
{
	double sum = 0;

	for (uint64_t i = 0; i < 4000; i++) {
		walker_walk(w, model_mix(i) & 0x000ffffffffff000, &walk);
		sum += walk.nr;
	}
	return sum / 4000;
}

/* A tombstone costs a walk as much as a page, until the table is built anew, at its size. */
Test(model_design, tombstones)
{
	struct walker *w = make("linear:load=0.7,slots=1024");
	struct model_usage usage;
	uint64_t bytes, pa;
	double full;

	for (uint64_t i = 0; i < 700; i++)
		cr_assert_eq(walker_map(w, i << 12, (i + 1) << 12, 12, PT_RWX), 0);
	full = miss_cost(w);
	for (uint64_t i = 100; i < 700; i++)
		cr_assert_eq(walker_unmap(w, i << 12, 12, &pa), 0);
	cr_expect_eq(miss_cost(w), full);
	walker_usage(w, &usage);
	bytes = usage.table_bytes;
	cr_expect_eq(usage.resizes, 0);
	for (uint64_t i = 0; i < 400; i++) /* new ones: most find a free slot, and then there are too many */
		cr_assert_eq(walker_map(w, (i + 5000) << 12, (i + 101) << 12, 12, PT_RWX), 0);
	for (uint64_t i = 100; i < 400; i++)
		cr_assert_eq(walker_unmap(w, (i + 5000) << 12, 12, &pa), 0);
	walker_usage(w, &usage);
	cr_expect_geq(usage.resizes, 1u);
	cr_expect_eq(usage.table_bytes, bytes, "it did not have to grow");
	cr_expect_eq(usage.pages, 200u);
	walker_destroy(w);
}
