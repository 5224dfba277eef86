/* SPDX-License-Identifier: MIT */
/* Layouts: what they map is what they say, each page once, the same on every run. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "model/layout/layout.h"

#define PAGES_MAX 100000

static struct model_mapping page[PAGES_MAX];
static unsigned nr;

static void list(const struct model_layout *l)
{
	struct model_layout_at at = {0};
	const char *why = "";

	cr_assert_eq(model_layout_check(l, &why), 0, "%s", why);
	for (nr = 0; nr < PAGES_MAX && model_layout_next(l, &at, &page[nr]); nr++)
		cr_assert_eq(page[nr].va & ((1ull << page[nr].page_shift) - 1), 0);
	cr_assert_lt(nr, PAGES_MAX);
}

static int by_address(const void *a, const void *b)
{
	const struct model_mapping *x = a, *y = b;

	return (x->va > y->va) - (x->va < y->va);
}

static void expect_no_overlap(void)
{
	qsort(page, nr, sizeof(page[0]), by_address);
	for (unsigned i = 1; i < nr; i++)
		cr_assert_geq(page[i].va - page[i - 1].va, 1ull << page[i - 1].page_shift, "page %u", i);
}

Test(model_layout, dense_is_one_page_after_the_other)
{
	list(&(struct model_layout){.kind = MODEL_DENSE, .first = 1 << 30, .bytes = 1000 << 21, .page_shift = 21});
	cr_assert_eq(nr, 1000);
	for (unsigned i = 0; i < nr; i++)
		cr_assert_eq(page[i].va, (1ull << 30) + ((uint64_t)i << 21));
}

Test(model_layout, sparse_has_one_page_in_each_slice)
{
	list(&(struct model_layout){.kind = MODEL_SPARSE, .bytes = 1000 << 12, .page_shift = 12, .gap = 21, .seed = 3});
	cr_assert_eq(nr, 1000);
	for (unsigned i = 0; i < nr; i++)
		cr_assert_eq(page[i].va >> 21, i);
}

/* Every page of the range comes once when all of it is mapped, in an order that is not that of addresses. */
Test(model_layout, random_maps_no_page_twice)
{
	unsigned in_order = 0;

	list(&(struct model_layout){.kind = MODEL_RANDOM, .bytes = 5000 << 12, .range = 5000 << 12, .page_shift = 12});
	cr_assert_eq(nr, 5000);
	for (unsigned i = 1; i < nr; i++)
		in_order += page[i].va == page[i - 1].va + 4096;
	cr_expect_lt(in_order, 50);
	expect_no_overlap();
	cr_assert_eq(page[0].va, 0);
	cr_assert_eq(page[nr - 1].va, 4999ull << 12);
}

/* A mix covers its bytes with regions of one page size each, and has every size that has a share. */
Test(model_layout, mix_has_regions_of_each_size)
{
	struct model_layout l = {.kind = MODEL_MIX, .bytes = 64ull << 30, .share = {0, 1, 1}, .seed = 5};
	unsigned sizes[31] = {0};
	uint64_t bytes = 0;

	list(&l);
	expect_no_overlap();
	for (unsigned i = 0; i < nr; i++) {
		sizes[page[i].page_shift]++;
		bytes += 1ull << page[i].page_shift;
	}
	cr_expect_eq(bytes, l.bytes);
	cr_expect_eq(sizes[12], 0);
	cr_expect(sizes[21] > 10 * 512 && sizes[30] > 10, "%u, %u", sizes[21], sizes[30]);
}

Test(model_layout, seeds_decide)
{
	struct model_layout l = {
	    .kind = MODEL_RANDOM, .bytes = 500 << 12, .range = 1 << 30, .page_shift = 12, .seed = 1};
	static struct model_mapping before[500];

	l.per_mille = 500;
	list(&l);
	cr_expect(nr > 150 && nr < 350, "%u", nr);
	memcpy(before, page, sizeof(before));
	list(&l);
	cr_expect_arr_eq(page, before, nr * sizeof(page[0]));
	l.seed = 2;
	list(&l);
	cr_expect_neq(page[0].va, before[0].va);
}

/* What cannot be laid out is refused with a sentence. */
Test(model_layout, parameters_out_of_range_are_refused)
{
	static const struct {
		struct model_layout layout;
		const char *why;
	} bad[] = {
	    {{.kind = MODEL_DENSE, .bytes = 4096, .page_shift = 13}, "4 KiB, 2 MiB or 1 GiB"},
	    {{.kind = MODEL_DENSE, .bytes = 4095, .page_shift = 12}, "less to map than one page"},
	    {{.kind = MODEL_DENSE, .first = 4096, .bytes = 1 << 21, .page_shift = 21}, "multiple of the largest page"},
	    {{.kind = MODEL_SPARSE, .bytes = 1 << 21, .page_shift = 21, .gap = 20}, "room for its page"},
	    {{.kind = MODEL_RANDOM, .bytes = 8192, .range = 4096, .page_shift = 12}, "room for its pages"},
	    {{.kind = MODEL_MIX, .bytes = 1 << 30}, "share of one page size"},
	    {{.kind = MODEL_DENSE, .bytes = 4096, .page_shift = 12, .per_mille = 1000}, "below 1000"},
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		const char *why = "";

		cr_expect_eq(model_layout_check(&bad[i].layout, &why), -EINVAL, "%zu", i);
		cr_expect(strstr(why, bad[i].why), "%zu: %s", i, why);
	}
	cr_expect_str_eq(model_layout_name(MODEL_MIX), "mix");
	cr_expect_null(model_layout_name(MODEL_NR_LAYOUTS));
}
