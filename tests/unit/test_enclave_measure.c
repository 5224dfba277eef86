/* SPDX-License-Identifier: MIT */
/*
 * The measurement says which enclave it is. What is protected here: it depends on every byte, right and address, and
 * on nothing else: not on the order of the calls, not on the identifier, not on where its frames lie or how deep the
 * third stage is. One fixed value says that it is the same on every host.
 */
#include <stdio.h>
#include <string.h>

#include "enclave_world.h"

#define R  GNOMON_ENCLAVE_R
#define RW (GNOMON_ENCLAVE_R | GNOMON_ENCLAVE_W)
#define RX (GNOMON_ENCLAVE_R | GNOMON_ENCLAVE_X)

static void begin(void)
{
	ew_begin(2);
}

TestSuite(enclave_measure, .init = begin, .fini = ew_end);

struct page {
	unsigned at, rights, content;
	bool extend;
};

static const struct page good[] = {{0, RX, 0, true}, {1, RW, 1, true}, {2, R, 2, false},
                                   {5, R, 3, true},  {6, R, 4, true},  {7, R, 5, true}};
#define NR (sizeof(good) / sizeof(*good))

/* Builds the enclave, seals it, and gives it up. */
static void measure(unsigned id, const struct gnomon_enclave_create *c, const struct page *page,
                    uint8_t ret[GNOMON_ENCLAVE_MEASUREMENT])
{
	struct enclave_info info;

	ew_ok(enclave_create(ew.all, id, c));
	for (size_t i = 0; i < NR; i++) {
		ew_ok(enclave_add(ew.all, id, c->base + page[i].at * PAGE_SIZE, page[i].rights,
		                  ew_page(page[i].content)));
		if (page[i].extend)
			ew_ok(enclave_extend(ew.all, id, c->base + page[i].at * PAGE_SIZE));
	}
	ew_ok(enclave_init(ew.all, id, NULL));
	cr_assert(enclave_look(ew.all, id, &info));
	memcpy(ret, info.measurement, sizeof(info.measurement));
	ew_ok(enclave_destroy(ew.all, id));
}

static bool differs(const struct gnomon_enclave_create *c, const struct page *page)
{
	const struct gnomon_enclave_create usual = ew_create(8);
	uint8_t a[GNOMON_ENCLAVE_MEASUREMENT], b[GNOMON_ENCLAVE_MEASUREMENT];

	measure(1, &usual, good, a);
	measure(1, c ? c : &usual, page, b);
	return memcmp(a, b, sizeof(a)) != 0;
}

/* Computed by another program (Python's hashlib) from the layout in measure.c. */
Test(enclave_measure, is_the_same_everywhere)
{
	static const char expected[] = "7dcab7ff01ac69f944e6fc0d2a34074b9045d08ccabb0cd807be205e12dd880b";
	const struct gnomon_enclave_create c = ew_create(8);
	uint8_t m[GNOMON_ENCLAVE_MEASUREMENT];
	char text[2 * sizeof(m) + 1];

	measure(1, &c, good, m);
	for (size_t i = 0; i < sizeof(m); i++)
		snprintf(text + 2 * i, 3, "%02x", m[i]);
	cr_expect_str_eq(text, expected);
}

Test(enclave_measure, does_not_depend_on_order_or_place)
{
	const struct gnomon_enclave_create c = ew_create(8);
	uint8_t first[GNOMON_ENCLAVE_MEASUREMENT], m[GNOMON_ENCLAVE_MEASUREMENT];
	struct page other[NR];

	measure(1, &c, good, first);
	for (size_t i = 0; i < NR; i++)
		other[i] = good[NR - 1 - i];
	ew_ok(enclave_create(ew.all, 9, &c)); /* in the way */
	measure(2, &c, other, m);
	cr_expect_arr_eq(m, first, sizeof(m));
	for (int levels = 1; levels <= 4; levels *= 2) {
		ew_end();
		ew_begin(levels);
		measure(64, &c, good, m);
		cr_expect_arr_eq(m, first, sizeof(m), "%d levels", levels);
	}
}

Test(enclave_measure, depends_on_every_page)
{
	struct page p[NR];

	cr_expect_not(differs(NULL, good));
	for (size_t i = 0; i < NR; i++) {
		memcpy(p, good, sizeof(p));
		p[i].content = 77;
		cr_expect_eq(differs(NULL, p), good[i].extend, "content of page %zu", i);
		memcpy(p, good, sizeof(p));
		p[i].rights = good[i].rights == RX ? RX : good[i].rights == R ? RW : R;
		cr_expect_eq(differs(NULL, p), good[i].rights != RX, "rights of page %zu", i);
		memcpy(p, good, sizeof(p));
		p[i].extend = !p[i].extend;
		cr_expect(differs(NULL, p), "whether page %zu is measured", i);
	}
	memcpy(p, good, sizeof(p));
	p[2].at = 3;
	cr_expect(differs(NULL, p), "address of a page");
}

/* It does not matter whether pages come in one call, or one by one. */
Test(enclave_measure, does_not_depend_on_batches)
{
	const struct gnomon_enclave_create c = ew_create(4);
	uint8_t content[4 * PAGE_SIZE], m[4][GNOMON_ENCLAVE_MEASUREMENT];
	struct enclave_info info;

	for (unsigned i = 0; i < 4; i++)
		memcpy(content + i * PAGE_SIZE, ew_page(i), PAGE_SIZE);
	for (unsigned way = 0; way < 4; way++) {
		const bool extend = way & 1;
		struct enclave_batch b = {EW_BASE, way < 2 ? 4 : 1, RX, way == 1 ? GNOMON_ENCLAVE_MEASURE : 0};

		ew_ok(enclave_create(ew.all, 1, &c));
		for (unsigned i = 0; i < 4; i += b.pages, b.va += b.pages * PAGE_SIZE)
			ew_ok(enclave_add_batch(ew.all, 1, &b, content + i * PAGE_SIZE));
		for (unsigned i = 0; way == 3 && i < 4; i++)
			ew_ok(enclave_extend(ew.all, 1, EW_BASE + i * PAGE_SIZE));
		ew_ok(enclave_init(ew.all, 1, NULL));
		cr_assert(enclave_look(ew.all, 1, &info));
		memcpy(m[way], info.measurement, sizeof(m[way]));
		ew_ok(enclave_destroy(ew.all, 1));
		if (way >= 2)
			cr_expect_arr_eq(m[way], m[extend], sizeof(m[way]), "way %u", way);
	}
	cr_expect_arr_neq(m[0], m[1], sizeof(m[0]));
}

static void add_measured(unsigned n, unsigned content)
{
	const struct enclave_batch b = {EW_BASE + n * PAGE_SIZE, 1, RX, GNOMON_ENCLAVE_MEASURE};

	ew_ok(enclave_add_batch(ew.all, 1, &b, ew_page(content)));
}

/*
 * Hashes are made at INIT or whenever there is time. A page that was removed meanwhile does not count, and what came in
 * its place does, however many pages wait.
 */
Test(enclave_measure, does_not_depend_on_when_it_is_hashed)
{
	enum { PAGES = EW_PAGES * 3 / 4, ROUNDS = 3 }; /* more than can be due */
	const struct gnomon_enclave_create c = ew_create(PAGES);
	uint8_t m[3][GNOMON_ENCLAVE_MEASUREMENT];
	struct enclave_info info;

	for (unsigned way = 0; way < 3; way++) {
		ew_ok(enclave_create(ew.all, 1, &c));
		for (unsigned i = 0; way && i < ROUNDS * PAGES; i++) { /* of which the last of each page stays */
			if (i >= PAGES)
				ew_ok(enclave_remove(ew.all, 1, EW_BASE + i % PAGES * PAGE_SIZE));
			add_measured(i % PAGES, i);
			if (way == 2 && i % 3 == 0)
				(void)enclaves_measure_due(ew.all);
		}
		for (unsigned i = 0; !way && i < PAGES; i++) {
			add_measured(i, (ROUNDS - 1) * PAGES + i);
			cr_assert(enclaves_measure_due(ew.all));
			cr_assert(!enclaves_measure_due(ew.all));
		}
		ew_expect(enclave_extend(ew.all, 1, EW_BASE), GNOMON_ENCLAVE_MEASURED);
		ew_ok(enclave_init(ew.all, 1, NULL));
		cr_assert(!enclaves_measure_due(ew.all));
		cr_assert(enclave_look(ew.all, 1, &info));
		memcpy(m[way], info.measurement, sizeof(m[way]));
		ew_ok(enclave_destroy(ew.all, 1));
		cr_expect_arr_eq(m[way], m[0], sizeof(m[way]), "way %u", way);
	}
}

/* One bit anywhere in a measured page. */
Test(enclave_measure, depends_on_every_bit)
{
	const struct gnomon_enclave_create c = ew_create(1);
	uint8_t page[PAGE_SIZE], seen[6][GNOMON_ENCLAVE_MEASUREMENT];
	static const unsigned at[6] = {~0u, 0, 1, 8 * 127 + 7, 8 * 2048, 8 * PAGE_SIZE - 1};

	for (size_t i = 0; i < 6; i++) {
		struct enclave_info info;

		memcpy(page, ew_page(0), sizeof(page));
		if (at[i] != ~0u)
			page[at[i] / 8] ^= 1 << at[i] % 8;
		ew_ok(enclave_create(ew.all, 1, &c));
		ew_ok(enclave_add(ew.all, 1, EW_BASE, RX, page));
		ew_ok(enclave_extend(ew.all, 1, EW_BASE));
		ew_ok(enclave_init(ew.all, 1, NULL));
		cr_assert(enclave_look(ew.all, 1, &info));
		memcpy(seen[i], info.measurement, sizeof(seen[i]));
		for (size_t j = 0; j < i; j++)
			cr_expect_arr_neq(seen[i], seen[j], sizeof(seen[i]));
		ew_ok(enclave_destroy(ew.all, 1));
	}
}

Test(enclave_measure, depends_on_what_was_declared)
{
	const struct gnomon_enclave_create usual = ew_create(8);
	uint64_t change[] = {0x1000000, PAGE_SIZE, 8, -16, PAGE_SIZE, PAGE_SIZE};

	for (size_t i = 0; i < sizeof(change) / sizeof(*change); i++) {
		struct gnomon_enclave_create c = usual;

		(&c.base)[i] += change[i];
		if (i == 0)
			c.entry += change[i], c.stack += change[i];
		cr_expect(differs(&c, good), "field %zu", i);
	}
}
