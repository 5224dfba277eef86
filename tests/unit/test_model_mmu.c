/* SPDX-License-Identifier: MIT */
/* TLBs, page-walk caches and caches, beside a version of them that is slow and obviously right: lists in order of use. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "../../guest/arena_apps.h"
#include "../../guest/chase_core.h"
#include "model/design/catalogue.h"
#include "model/design/memory.h"
#include "model/mmu/lines.h"
#include "slow_mmu.h"

TestSuite(model_mmu);

static struct walker *design(const char *text, int host_shift)
{
	struct model_config config = {.data = 1ull << 42, .limit = 1ull << 30, .backing = {.page_shift = host_shift}};
	char why[MODEL_WHY_MAX] = "";
	struct walker *w = NULL;

	cr_assert_eq(model_design_parse(text, &config, &w, why), 0, "%s: %s", text, why);
	return w;
}

static struct mmu_shape shape_of(const char *text)
{
	struct mmu_shape shape;

	cr_assert_eq(shape_parse("test", text, strlen(text), &shape), 0);
	return shape;
}

static void map(struct walker *w, uint64_t va, int shift, struct model_walk *walk)
{
	uint64_t pa;

	walker_walk(w, va, walk);
	if (walk->mapped)
		return;
	cr_assert_eq(model_memory_page(w->memory, shift, &pa), 0);
	cr_assert_eq(walker_map(w, va >> shift << shift, pa, shift, PT_RWX), 0);
	walker_walk(w, va, walk);
	cr_assert(walk->mapped);
}

/* ---- arrays ---- */

/* Of 1 to 16 ways and of more, which are kept otherwise; one set and several; no power of two. */
static const struct assoc_shape lru_shapes[] = {{1, 1, ASSOC_LRU, ASSOC_MODULO},   {64, 4, ASSOC_LRU, ASSOC_MODULO},
                                                {72, 6, ASSOC_LRU, ASSOC_MODULO},  {30, 10, ASSOC_LRU, ASSOC_MODULO},
                                                {15, 15, ASSOC_LRU, ASSOC_MODULO}, {64, 16, ASSOC_LRU, ASSOC_MODULO},
                                                {51, 17, ASSOC_LRU, ASSOC_MODULO}, {48, 48, ASSOC_LRU, ASSOC_HASH},
                                                {96, 96, ASSOC_LRU, ASSOC_MODULO}, {200, 100, ASSOC_LRU, ASSOC_MODULO}};

#define NR_LRU_SHAPES (sizeof(lru_shapes) / sizeof(*lru_shapes))

Test(model_mmu, array_is_a_list_for_each_set)
{
	for (size_t s = 0; s < NR_LRU_SHAPES; s++) {
		struct slow_array slow = slow_array(&lru_shapes[s]);
		uint64_t random = s + 1, value;
		struct assoc a;

		cr_assert_eq(assoc_init(&a, &lru_shapes[s]), 0);
		for (int i = 0; i < 20000; i++) {
			const uint64_t key = app_below(chase_random(&random), lru_shapes[s].entries * 3);
			const bool hit = assoc_look_up(&a, key, &value);

			cr_assert_eq(hit, slow_touch(&slow, key), "shape %zu, step %d", s, i);
			cr_assert(!hit || value == key * 7);
			if (!hit)
				assoc_insert(&a, key, key * 7);
		}
		assoc_destroy(&a);
		slow_array_free(&slow);
	}
}

/* What is removed is gone, and its place is taken before any other key goes. */
Test(model_mmu, place_of_a_removed_key_is_taken_first)
{
	for (size_t s = 0; s < NR_LRU_SHAPES; s++) {
		struct slow_array slow = slow_array(&lru_shapes[s]);
		uint64_t random = s + 77;
		struct assoc a;

		cr_assert_eq(assoc_init(&a, &lru_shapes[s]), 0);
		for (int i = 0; i < 20000; i++) {
			const uint64_t key = app_below(chase_random(&random), lru_shapes[s].entries * 2);

			if (app_below(chase_random(&random), 3) == 0) {
				assoc_remove(&a, key);
				slow_remove(&slow, key);
				continue;
			}
			cr_assert_eq(assoc_touch(&a, key), slow_touch(&slow, key), "shape %zu, step %d", s, i);
		}
		assoc_destroy(&a);
		slow_array_free(&slow);
	}
}

Test(model_mmu, touch_is_look_up_and_insert)
{
	static const struct assoc_shape shape = {60, 5, ASSOC_LRU, ASSOC_HASH};
	uint64_t random = 5;
	struct assoc a, b;

	cr_assert_eq(assoc_init(&a, &shape) | assoc_init(&b, &shape), 0);
	for (int i = 0; i < 20000; i++) {
		const uint64_t key = app_below(chase_random(&random), 150);
		const bool hit = assoc_look_up(&a, key, NULL);

		if (!hit)
			assoc_insert(&a, key, 0);
		cr_assert_eq(assoc_touch(&b, key), hit);
	}
	assoc_destroy(&a);
	assoc_destroy(&b);
}

Test(model_mmu, hash_spreads_keys_of_one_set)
{
	/* 64 pages that lie 64 pages apart share a set by modulo: 4 ways keep none of them. */
	for (enum assoc_index index = ASSOC_MODULO; index <= ASSOC_HASH; index++) {
		const struct assoc_shape shape = {256, 4, ASSOC_LRU, index};
		int hits = 0;
		struct assoc a;

		cr_assert_eq(assoc_init(&a, &shape), 0);
		for (int lap = 0; lap < 2; lap++)
			for (uint64_t i = 0; i < 64; i++)
				hits += assoc_touch(&a, i * 64);
		cr_assert(index == ASSOC_HASH ? hits > 32 : hits == 0, "%d hits", hits);
		assoc_destroy(&a);
	}
}

Test(model_mmu, pseudo_lru_is_its_definition)
{
	static const struct assoc_shape shapes[] = {{8, 8, ASSOC_PLRU, ASSOC_MODULO},
	                                            {12, 3, ASSOC_PLRU, ASSOC_MODULO},
	                                            {128, 64, ASSOC_PLRU, ASSOC_MODULO},
	                                            {4, 1, ASSOC_PLRU, ASSOC_MODULO}};

	for (size_t s = 0; s < 4; s++) {
		struct slow_plru slow = {.sets = shapes[s].entries / shapes[s].ways, .ways = shapes[s].ways};
		uint64_t random = s + 9;
		struct assoc a;

		cr_assert_eq(assoc_init(&a, &shapes[s]), 0);
		for (int i = 0; i < 20000; i++) {
			const uint64_t key = 1 + app_below(chase_random(&random), shapes[s].entries * 2);

			cr_assert_eq(assoc_touch(&a, key), slow_plru_touch(&slow, key), "shape %zu, step %d", s, i);
		}
		assoc_destroy(&a);
	}
}

Test(model_mmu, narrow_lines_are_the_array)
{
	static const struct assoc_shape shapes[] = {{64, 1, 0, 0}, {768, 12, 0, 0}, {1100, 11, 0, 0}, {1024, 16, 0, 0}};

	for (size_t s = 0; s < 4; s++) {
		uint64_t random = s + 3;
		struct lines l;
		struct assoc a;

		cr_assert(lines_fit(&shapes[s]));
		cr_assert_eq(lines_init(&l, &shapes[s]) | assoc_init(&a, &shapes[s]), 0);
		for (int i = 0; i < 100000; i++) {
			const uint64_t near = app_below(chase_random(&random), shapes[s].entries * 2);
			const uint64_t line = i % 3 ? near : LINES_LIMIT / 64 - 1 - near;

			cr_assert_eq(lines_touch(&l, line), assoc_touch(&a, line), "shape %zu, step %d", s, i);
		}
		lines_destroy(&l);
		assoc_destroy(&a);
	}
}

Test(model_mmu, nothing_is_found_in_no_array)
{
	static const struct assoc_shape none = {0};
	struct assoc a;

	cr_assert_eq(assoc_init(&a, &none), 0);
	assoc_insert(&a, 1, 2);
	cr_assert_not(assoc_look_up(&a, 1, NULL));
	cr_assert_not(assoc_touch(&a, 1));
	assoc_destroy(&a);
}

/* ---- the whole ---- */

#define SMALL                                                                                                          \
	"tlb1 = 4k 8 4\ntlb1 = 2m+1g 4 4\ntlb2 = 4k+2m 30 5\ntlb2.cycles = 7\npwc = guest+enclave 2 4 2\n"             \
	"pwc = guest 3+4+5 6 6\npwc = host 2+3+4 7 7\nnested = 10 5\ncheck = 6 6\ncache = 2K 4 3\n"                    \
	"cache = 12K 6 11\ncache = 64K 8 40\nmemory.cycles = 200\nwalker.cache = 2\n"

/* Every access costs what the lists say. Shift 0: the upper half has pages of 2 MiB, the lower of 4 KiB. */
static void same_as_lists(const char *name, int shift, int host_shift, uint64_t bytes)
{
	struct walker *w = design(name, host_shift);
	const struct mmu_shape shape = shape_of(SMALL);
	struct model_mmu *mmu = model_mmu_new(&shape);
	struct slow_mmu *slow = slow_mmu_new(&shape);
	struct model_walk *walk = malloc(sizeof(*walk));
	uint64_t random = 77;

	for (int i = 0; i < 30000; i++) {
		uint64_t va = app_below(chase_random(&random), i % 2 ? bytes : bytes / 16);
		bool hit;

		if (i % 4 == 2)
			va += bytes / 2;
		map(w, va, shift ? shift : va < bytes / 2 ? 12 : 21, walk);
		hit = model_mmu_hit(mmu, va);
		if (!hit)
			model_mmu_walk(mmu, va, walk);
		slow_mmu_access(slow, va, walk);
		cr_assert_eq(hit, slow->hit, "%s, step %d", name, i);
		cr_assert_eq(model_mmu_counts(mmu)->refs, slow->refs, "%s, step %d: %llu references, not %llu", name, i,
		             (unsigned long long)model_mmu_counts(mmu)->refs, (unsigned long long)slow->refs);
		cr_assert_eq(model_mmu_counts(mmu)->translation_cycles + model_mmu_counts(mmu)->data_cycles,
		             slow->cycles, "%s, step %d", name, i);
	}
	cr_assert_gt(model_mmu_counts(mmu)->skipped, 0, "%s", name);
	model_mmu_free(mmu);
	slow_mmu_free(slow);
	free(walk);
	walker_destroy(w);
}

Test(model_mmu, native_walks_cost_what_the_lists_say)
{
	same_as_lists("radix4", 12, 12, 64ull << 20);
	same_as_lists("radix5", 12, 12, 4ull << 30);
	same_as_lists("sv39", 21, 12, 64ull << 30);
	same_as_lists("radix4", 30, 12, 1ull << 38);
	same_as_lists("radix4", 0, 12, 128ull << 20);
}

Test(model_mmu, nested_walks_cost_what_the_lists_say)
{
	same_as_lists("radix4/radix4", 12, 12, 64ull << 20);
	same_as_lists("radix4/radix4", 12, 21, 4ull << 30);
	same_as_lists("radix4/radix5", 21, 21, 8ull << 30);
	same_as_lists("radix4/radix4", 0, 21, 128ull << 20);
	same_as_lists("radix5/sv39", 12, 12, 64ull << 20);
}

Test(model_mmu, hashed_tables_have_no_page_walk_cache)
{
	struct walker *w = design("chain", 12);
	const struct mmu_shape shape = shape_of("tlb1 = 4k 1 1\npwc = guest 1+2+3+4+5 64 64\ncache = 4K 1 1\n");
	struct model_mmu *mmu = model_mmu_new(&shape);
	struct model_walk *walk = malloc(sizeof(*walk));
	uint64_t refs = 0;

	for (uint64_t i = 0; i < 1000; i++) {
		map(w, i << 12, 12, walk);
		cr_assert_not(model_mmu_hit(mmu, i << 12));
		model_mmu_walk(mmu, i << 12, walk);
		refs += walk->nr;
	}
	cr_assert_eq(model_mmu_counts(mmu)->refs, refs);
	model_mmu_free(mmu);
	free(walk);
	walker_destroy(w);
}

Test(model_mmu, nothing_is_skipped_without_caches)
{
	struct walker *w = design("radix4/radix4", 12);
	struct model_mmu *mmu = model_mmu_new(&shape_none);
	struct model_walk *walk = malloc(sizeof(*walk));

	for (uint64_t i = 0; i < 100; i++) {
		map(w, i << 12, 12, walk);
		cr_assert_not(model_mmu_hit(mmu, i << 12));
		model_mmu_walk(mmu, i << 12, walk);
	}
	cr_assert_eq(model_mmu_counts(mmu)->refs, 2400);
	cr_assert_eq(model_mmu_counts(mmu)->with[24], 100);
	cr_assert_eq(mmu_counts_percentile(model_mmu_counts(mmu), 0.5), 24);
	model_mmu_forget_counts(mmu);
	cr_assert_eq(model_mmu_counts(mmu)->accesses, 0);
	cr_assert_eq(mmu_counts_percentile(model_mmu_counts(mmu), 0.5), 0);
	model_mmu_free(mmu);
	free(walk);
	walker_destroy(w);
}

/* A check is skipped as a whole when its frame is known: then a third stage costs nothing. */
Test(model_mmu, check_cache_spares_the_third_stage)
{
	static const char *const designs[] = {"radix4/radix4+enclave2:once", "radix4/radix4+enclave3:every",
	                                      "radix4+enclave2:once"};
	static const unsigned with[] = {34, 99, 14}, without[] = {24, 24, 4};

	for (size_t d = 0; d < 3; d++) {
		const struct mmu_shape shape = shape_of("tlb1 = 4k 1 1\ncheck = 4096 4096\n");
		struct model_mmu *known = model_mmu_new(&shape), *none = model_mmu_new(&shape_none);
		struct walker *w = design(designs[d], 12);
		struct model_walk *walk = malloc(sizeof(*walk));

		for (uint64_t i = 0; i < 200; i++) {
			map(w, i % 100 << 12, 12, walk);
			if (i == 100) {
				model_mmu_forget_counts(known);
				model_mmu_forget_counts(none);
			}
			model_mmu_walk(known, i % 100 << 12, walk);
			model_mmu_walk(none, i % 100 << 12, walk);
		}
		cr_assert_eq(model_mmu_counts(known)->with[without[d]], 100, "%s", designs[d]);
		cr_assert_eq(model_mmu_counts(none)->with[with[d]], 100, "%s", designs[d]);
		cr_assert_eq(model_mmu_counts(known)->of[MODEL_ENCLAVE], 0);
		model_mmu_free(known);
		model_mmu_free(none);
		free(walk);
		walker_destroy(w);
	}
}

/* A TLB of n entries keeps n pages that are gone through in turn, and not one of n + 1. */
Test(model_mmu, knee_lies_where_the_tlb_ends)
{
	const struct mmu_shape shape = shape_of("tlb1 = 4k 64 64\ncache = 64K 16 4\nmemory.cycles = 100\n");
	struct walker *w = design("radix4", 12);
	struct model_walk *walk = malloc(sizeof(*walk));

	for (uint64_t pages = 64; pages <= 65; pages++) {
		struct model_mmu *mmu = model_mmu_new(&shape);

		for (uint64_t i = 0; i < pages * 3; i++) {
			map(w, i % pages << 12, 12, walk);
			if (!model_mmu_hit(mmu, i % pages << 12))
				model_mmu_walk(mmu, i % pages << 12, walk);
		}
		cr_assert_eq(model_mmu_counts(mmu)->walks, pages == 64 ? 64 : pages * 3);
		model_mmu_free(mmu);
	}
	free(walk);
	walker_destroy(w);
}

/* A page of 1 GiB goes into a TLB without such pages piece by piece. */
Test(model_mmu, large_page_is_cut_for_a_tlb_without_it)
{
	const struct mmu_shape shape = shape_of("tlb1 = 4k 64 4\ntlb1 = 2m 16 4\ntlb2 = 4k 512 8\n");
	struct model_mmu *mmu = model_mmu_new(&shape);
	struct walker *w = design("radix4", 12);
	struct model_walk *walk = malloc(sizeof(*walk));

	map(w, 0, 30, walk);
	cr_assert_eq(walk->page_shift, 30);
	model_mmu_walk(mmu, 0x1234, walk);
	cr_assert(model_mmu_hit(mmu, 0x1ff000), "2 MiB of it are in the first level");
	cr_assert_not(model_mmu_hit(mmu, 0x200000));
	model_mmu_free(mmu);
	free(walk);
	walker_destroy(w);
}
