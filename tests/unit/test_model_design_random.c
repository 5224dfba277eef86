/* SPDX-License-Identifier: MIT */
/*
 * A walker that shares no code with the designs: it reads the bytes of the simulated memories, and knows the entries'
 * bits from the manuals. Random layouts, random addresses: each reference, in its order, must be the same.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/design/catalogue.h"
#include "model/design/memory.h"
#include "model/design/random.h"
#include "model/layout/layout.h"

#ifndef __has_feature
#define __has_feature(x) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
#define LAYOUTS 30
#else
#define LAYOUTS 334
#endif
#define PER_LAYOUT 1000 /* three tests of 334 layouts that read bytes: 10^6 checks */
#define PAGES_MAX  1024

/* Tables as a manual draws them, and the memory that they lie in. */
struct tree {
	const struct model_memory *memory;
	int levels;
	bool riscv, sign;
};

struct expected {
	bool mapped;
	unsigned nr;
	int shift;
	uint64_t pa;
	struct model_ref ref[64];
};

static struct model_mapping page[PAGES_MAX];
static unsigned nr_pages;
static uint64_t seed;

static void remember(void *ctx, const struct model_mapping *p)
{
	cr_assert_lt(nr_pages, PAGES_MAX);
	page[nr_pages++] = *p;
}

static uint64_t below(uint64_t n)
{
	return model_random_below(&seed, n);
}

static void expect(struct expected *e, uint64_t at, uint64_t key, int dimension, int level, int of)
{
	e->ref[e->nr++] = (struct model_ref){at, key, dimension, level, of, 12 + 9 * (level - 1)};
}

/* One dimension, from the bytes. Adds what it reads; false: not mapped. */
static bool walk_bytes(const struct tree *t, uint64_t va, int dimension, int of, struct expected *e, uint64_t *ret_pa,
                       int *ret_shift)
{
	uint64_t table = t->memory->data; /* the root is the first table of all */
	const int top = 12 + 9 * t->levels;

	if (t->sign ? (int64_t)(va << (64 - top)) >> (64 - top) != (int64_t)va : va >> top)
		return false;
	for (int level = t->levels;; level--) {
		const int shift = 12 + 9 * (level - 1);
		const uint64_t at = table + ((va >> shift) % 512) * 8, low = (1ull << shift) - 1;
		uint64_t raw, target;
		bool leaf;

		memcpy(&raw, t->memory->bytes + (at - t->memory->data), 8);
		expect(e, at, va, dimension, level, of);
		*ret_shift = shift;
		if (!(raw & 1))
			return false;
		leaf = t->riscv ? raw & 0xe : level == 1 || raw & 0x80;
		target = t->riscv ? (raw << 10 >> 20) << 12 : raw & 0x000ffffffffff000;
		if (leaf) {
			*ret_pa = (target & ~low) | (va & low);
			return true;
		}
		table = target;
	}
}

/* Slice of the guest's walk by slice: first where its entry lies, then the entry. */
static void walk_nested(const struct tree *guest, const struct tree *host, uint64_t va, struct expected *e)
{
	struct expected one = {0};
	uint64_t gpa = 0, maddr;
	int shift, host_shift;
	const bool mapped = walk_bytes(guest, va, MODEL_GUEST, 0, &one, &gpa, &shift);

	for (unsigned i = 0; i < one.nr; i++) {
		if (!walk_bytes(host, one.ref[i].address, MODEL_HOST, one.ref[i].level, e, &maddr, &host_shift))
			return;
		expect(e, maddr, va, MODEL_GUEST, one.ref[i].level, 0);
	}
	e->mapped = mapped && walk_bytes(host, gpa, MODEL_HOST, 0, e, &e->pa, &host_shift);
	e->shift = e->mapped && host_shift < shift ? host_shift : shift;
}

/* Not by memcmp: there is padding. */
static bool is_same(const struct model_ref *a, const struct model_ref *b)
{
	return a->address == b->address && a->key == b->key && a->dimension == b->dimension && a->level == b->level &&
	       a->of == b->of && a->shift == b->shift;
}

static void compare(const struct walker *w, uint64_t va, const struct expected *e)
{
	static struct model_walk walk;

	walker_walk(w, va, &walk);
	cr_assert_eq(walk.nr, e->nr, "%s, %#lx: %u references, not %u", w->name, va, walk.nr, e->nr);
	for (unsigned i = 0; i < e->nr; i++)
		cr_assert(is_same(&walk.ref[i], &e->ref[i]), "%s, %#lx: reference %u", w->name, va, i);
	cr_assert_eq(walk.mapped, e->mapped, "%s, %#lx", w->name, va);
	if (e->mapped) {
		cr_assert_eq(walk.pa, e->pa, "%s, %#lx", w->name, va);
		cr_assert_eq(walk.page_shift, e->shift, "%s, %#lx", w->name, va);
	}
}

/* Half of them in a page, some beside one, some anywhere. */
static uint64_t random_address(void)
{
	const struct model_mapping *p = &page[below(nr_pages)];

	switch (below(4)) {
	case 0:
		return p->va + (1ull << p->page_shift) + below(1ull << p->page_shift);
	case 1:
		return below(2) ? model_random(&seed) : p->va ^ 1ull << below(64);
	default:
		return p->va + below(1ull << p->page_shift);
	}
}

static struct walker *make(const char *text, const struct model_config *config)
{
	char why[MODEL_WHY_MAX] = "";
	struct walker *w;

	cr_assert_eq(model_design_parse(text, config, &w, why), 0, "%s: %s", text, why);
	return w;
}

/* Any layout of a few hundred pages in what the walker reaches, with pages of at most 1 << largest bytes. */
static void map_random(struct walker *w, int largest)
{
	struct model_layout l = {.kind = below(3), .seed = seed, .page_shift = 12, .per_mille = below(300)};
	uint64_t pages = 1 + below(300);
	const char *why = "";

	if (w->va_bits > 36 && below(2))
		l.page_shift = largest;
	if (l.page_shift == 30)
		pages = 1 + below(8);
	l.bytes = pages << l.page_shift;
	l.gap = l.page_shift + 2;
	l.range = l.bytes * (1 + below(20));
	while ((l.range | l.bytes << 2) >> (w->va_bits - 1))
		l.range = l.bytes /= 2;
	if (w->va_bits > 38)
		l.first = below(1ull << (w->va_bits - 38)) << 30;
	if (w->va_bits < 30 || !(l.bytes >> l.page_shift)) {
		l.kind = MODEL_DENSE;
		l.bytes = 100ull << l.page_shift;
	}
	nr_pages = 0;
	cr_assert_eq(model_layout_check(&l, &why), 0, "%s", why);
	cr_assert_eq(model_layout_map(&l, w, remember, NULL), 0, "%s", w->name);
	if (!nr_pages)
		page[nr_pages++] = (struct model_mapping){0};
}

static const struct {
	const char *name;
	struct tree tree;
} radix[] = {{"radix2", {.levels = 2, .sign = true}},        {"radix3", {.levels = 3, .sign = true}},
             {"radix4", {.levels = 4, .sign = true}},        {"radix5", {.levels = 5, .sign = true}},
             {"sv39", {.levels = 3, .riscv = 1, .sign = 1}}, {"sv48", {.levels = 4, .riscv = 1, .sign = 1}},
             {"sv57", {.levels = 5, .riscv = 1, .sign = 1}}};
#define NR_RADIX (sizeof(radix) / sizeof(radix[0]))

/* Protects what is counted of native tables of every format. */
Test(model_design_random, native_walks_read_what_the_bytes_say)
{
	const struct model_config config = MODEL_CONFIG_DEFAULT;

	seed = 1;
	for (unsigned i = 0; i < LAYOUTS; i++) {
		struct tree t = radix[i % NR_RADIX].tree;
		struct walker *w = make(radix[i % NR_RADIX].name, &config);

		t.memory = w->memory;
		map_random(w, 12 + 9 * below(3));
		for (unsigned j = 0; j < PER_LAYOUT; j++) {
			const uint64_t va = random_address();
			struct expected e = {0};

			e.mapped = walk_bytes(&t, va, MODEL_GUEST, 0, &e, &e.pa, &e.shift);
			compare(w, va, &e);
		}
		walker_destroy(w);
	}
}

static void run_nested(uint64_t first_seed, unsigned holes)
{
	seed = first_seed;
	for (unsigned i = 0; i < LAYOUTS; i++) {
		struct model_config config = MODEL_CONFIG_DEFAULT;
		const unsigned g = below(NR_RADIX), h = below(NR_RADIX);
		struct tree guest = radix[g].tree, host = radix[h].tree;
		struct walker *w;
		char text[64];

		config.backing = (struct model_backing){12 + 9 * below(3), holes, seed, i % 2};
		snprintf(text, sizeof(text), "%s/%s", radix[g].name, radix[h].name);
		w = make(text, &config);
		guest.memory = model_pair_guest(w)->memory;
		host.memory = model_pair_host(w)->memory;
		host.sign = false;
		map_random(w, host.levels > 2 && config.backing.page_shift > 12 && !holes ? 30 : 12);
		for (unsigned j = 0; j < PER_LAYOUT; j++) {
			const uint64_t va = random_address();
			struct expected e = {0};

			walk_nested(&guest, &host, va, &e);
			compare(w, va, &e);
		}
		walker_destroy(w);
	}
}

/* Protects what is counted of pairs: every guest on every host, every host page size. */
Test(model_design_random, nested_walks_read_what_the_bytes_say)
{
	run_nested(2, 0);
}

/* Protects the same where a balloon took pages, so that the host's sizes change from slice to slice. */
Test(model_design_random, nested_walks_over_holes_read_what_the_bytes_say)
{
	run_nested(3, 200);
}

static int by_address(const void *a, const void *b)
{
	const struct model_mapping *x = a, *y = b;

	return (x->va > y->va) - (x->va < y->va);
}

static const struct model_mapping *page_of(uint64_t va)
{
	for (unsigned low = 0, high = nr_pages; low < high;) {
		const unsigned middle = (low + high) / 2;
		const struct model_mapping *p = &page[middle];

		if (va < p->va)
			high = middle;
		else if (va - p->va >= 1ull << p->page_shift)
			low = middle + 1;
		else
			return p;
	}
	return NULL;
}

/* Protects that hashed tables find each page, and nothing else, however they were resized. */
Test(model_design_random, hashed_tables_have_what_was_mapped)
{
	static const char *const designs[] = {"inverted:load=8",
	                                      "chain:slots=8",
	                                      "linear:slots=8,load=0.95",
	                                      "cluster8:slots=8",
	                                      "cluster16:slots=8,load=0.9",
	                                      "cuckoo2:slots=8",
	                                      "cuckoo3:slots=8,load=0.8",
	                                      "flat:18+18",
	                                      "flat:9+18+9"};
	const struct model_config config = MODEL_CONFIG_DEFAULT;

	seed = 4;
	for (unsigned i = 0; i < LAYOUTS; i++) {
		struct walker *w = make(designs[i % (sizeof(designs) / sizeof(designs[0]))], &config);
		static struct model_walk walk;

		map_random(w, 12 + 9 * below(2));
		qsort(page, nr_pages, sizeof(page[0]), by_address);
		for (unsigned j = 0; j < PER_LAYOUT; j++) {
			const uint64_t va = random_address();
			const struct model_mapping *p = page_of(va);

			walker_walk(w, va, &walk);
			cr_assert_eq(walk.mapped, p && p->pa, "%s, %#lx", w->name, va);
			if (walk.mapped)
				cr_assert_eq(walk.pa, p->pa + (va - p->va), "%s, %#lx", w->name, va);
		}
		walker_destroy(w);
	}
}
