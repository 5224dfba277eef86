/* SPDX-License-Identifier: MIT */
/*
 * Formats: the bits are where the manuals have them, an entry says what was put in, and the
 * flush rule.
 */
#include "test_pgtable_fixture.c"

/* Entries as the manuals draw them: a bit that moves is a bit the hardware misreads. */
Test(pgtable_format, entries_match_the_manuals)
{
	const struct {
		const struct pt_format *fmt;
		int level;
		uint64_t address;
		pt_attrs_t attrs;
		uint64_t raw;
	} leaf[] = {
	    {&pt_x86_64, 1, 0x12345000, PT_R | PT_W | PT_U | PT_AD, 0x8000000012345067},
	    {&pt_x86_64, 2, 0x40000000, PT_RWX, 0x0000000040000083},
	    {&pt_x86_64_la57, 3, 0x40000000, PT_R | PT_MMIO | PT_G, 0x8000000040000199},
	    {&pt_ept, 1, 0x12345000, PT_RWX, 0x0000000012345037},
	    {&pt_ept, 2, 0x40000000, PT_R | PT_X | PT_AD | PT_MMIO, 0x0000000040000385},
	    {&pt_sv39, 1, 0x12345000, PT_R | PT_X | PT_U | PT_AD, 0x00000000048d14db},
	    {&pt_sv48, 2, 0x40000000, PT_R | PT_W | PT_SW0, 0x0000000010000107},
	    {&pt_sv57, 5, 1ull << 48, PT_R | PT_X | PT_G, 0x000040000000002b},
	    {&pt_enclave, 1, 0x12345000, PT_R | PT_W | PT_OWNER(0xabc), 0xabc000001234500f},
	};
	const struct {
		const struct pt_format *fmt;
		uint64_t raw;
	} table[] = {
	    {&pt_x86_64, 0x12345027}, {&pt_ept, 0x12345107}, {&pt_sv39, 0x048d1401}, {&pt_enclave, 0x12345001}};

	for (size_t i = 0; i < sizeof(leaf) / sizeof(leaf[0]); i++)
		cr_expect_eq(pte_raw(leaf[i].fmt->make_leaf(leaf[i].level, leaf[i].address, leaf[i].attrs)),
		             leaf[i].raw, "leaf %zu", i);
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		cr_expect_eq(pte_raw(table[i].fmt->make_table(2, 0x12345000)), table[i].raw, "table %zu", i);
}

/* Every combination of attributes that a format allows comes back unchanged, at each leaf level, with no reserved bit.
 */
Test(pgtable_format, attributes_come_back)
{
	for (size_t f = 0; f < NR_FORMATS; f++) {
		const struct pt_format *fmt = all_formats[f];

		for (pt_attrs_t a = 0; a < 1u << 12; a++) {
			pt_attrs_t attrs = a | (fmt->attrs & PT_OWNER_MASK & PT_OWNER(a + 1));
			uint64_t address = 1ull << (fmt->phys_bits - 1);

			for (int level = 1; level <= fmt->levels && fmt->level[level].leaf && pt_attrs_ok(fmt, attrs);
			     level++) {
				pte_t e = fmt->make_leaf(level, address, attrs);

				cr_assert(fmt->is_present(e, level) && fmt->is_leaf(e, level), "%s %#x", fmt->name,
				          attrs);
				cr_assert_eq(fmt->get_attrs(e, level), attrs, "%s %#x", fmt->name, attrs);
				cr_assert_eq(fmt->address(e, level), address);
				cr_assert_eq(pt_reserved_bits(fmt, e, level), 0, "%s %#x", fmt->name, attrs);
			}
		}
		for (int level = 2; level <= fmt->levels; level++) {
			pte_t e = fmt->make_table(level, 0x7654321000);

			cr_assert(pt_is_table(fmt, e, level), "%s", fmt->name);
			cr_assert_eq(fmt->address(e, level), 0x7654321000);
			cr_assert_eq(pt_reserved_bits(fmt, e, level), 0);
		}
		cr_assert(!fmt->is_present(pte_init(0), 1) && !fmt->is_leaf(pte_init(0), 1));
	}
	cr_assert_eq(fake_wrong_level, 0);
}

/* The fake format tells a wrong level: else the model test would prove less than it says. */
Test(pgtable_format, fake_notices_a_wrong_level)
{
	cr_assert(!pt_fake.is_leaf(pt_fake.make_leaf(2, 0x10000, PT_R), 1) || fake_wrong_level);
	cr_assert_gt(fake_wrong_level, 0);
}

/* Reserved bits by level, as the manuals' tables have them. */
Test(pgtable_format, reserved_bits)
{
	const struct {
		const struct pt_format *fmt;
		int level;
		uint64_t raw, reserved;
	} c[] = {
	    {&pt_x86_64, 4, 0x1083, 0x80},                    /* PS in a PML4E */
	    {&pt_x86_64, 2, 0x2083, 0x2000},                  /* bit 13 of a 2 MiB leaf */
	    {&pt_x86_64, 2, 0x1083, 0},                       /* bit 12 of it is PAT */
	    {&pt_x86_64, 3, 0x20000083, 0x20000000},          /* bit 29 of a 1 GiB leaf */
	    {&pt_ept, 2, 0x11b7, 0x1000},                     /* bit 12 of a 2 MiB leaf */
	    {&pt_ept, 3, 0x100f, 0x8},                        /* memory type in a table entry */
	    {&pt_ept, 4, 0x1087, 0x80},                       /* leaf bit in a PML4E */
	    {&pt_sv39, 2, 0x4c1, 0xc0},                       /* A and D in a pointer */
	    {&pt_sv39, 2, 0x40f, 0x400},                      /* misaligned megapage */
	    {&pt_sv48, 1, 0x800000000000000f, 1ull << 63},    /* N without Svnapot */
	    {&pt_enclave, 2, 0x0010000000001001, 1ull << 52}, /* an owner in a table entry */
	    {&pt_x86_64, 2, 0x2082, 0},                       /* absent: nothing is reserved */
	};

	for (size_t i = 0; i < sizeof(c) / sizeof(c[0]); i++)
		cr_expect_eq(pt_reserved_bits(c[i].fmt, pte_init(c[i].raw), c[i].level), c[i].reserved, "case %zu", i);
}

/* Combinations that the manuals forbid are refused. */
Test(pgtable_format, forbidden_attributes)
{
	cr_expect(!pt_attrs_ok(&pt_x86_64, PT_W | PT_X));
	cr_expect(!pt_attrs_ok(&pt_ept, PT_W) && !pt_attrs_ok(&pt_ept, 0) && pt_attrs_ok(&pt_ept, PT_X));
	cr_expect(!pt_attrs_ok(&pt_ept, PT_R | PT_U));
	cr_expect(!pt_attrs_ok(&pt_sv39, PT_W | PT_X) && !pt_attrs_ok(&pt_sv39, PT_R | PT_MMIO));
	cr_expect(!pt_attrs_ok(&pt_enclave, PT_RWX) && pt_attrs_ok(&pt_enclave, PT_OWNER(1)));
}

/* Canonical addresses: sign extension on and off, at the edges of both halves. */
Test(pgtable_format, canonical)
{
	const struct {
		const struct pt_format *fmt;
		uint64_t va;
		bool canonical;
	} c[] = {
	    {&pt_x86_64, 0x00007fffffffffff, true},       {&pt_x86_64, 0x0000800000000000, false},
	    {&pt_x86_64, 0xffff7fffffffffff, false},      {&pt_x86_64, 0xffff800000000000, true},
	    {&pt_x86_64_la57, 0x00ffffffffffffff, true},  {&pt_x86_64_la57, 0x0100000000000000, false},
	    {&pt_x86_64_la57, 0xfeffffffffffffff, false}, {&pt_x86_64_la57, 0xff00000000000000, true},
	    {&pt_sv39, 0xffffffc000000000, true},         {&pt_sv39, 0x0000004000000000, false},
	    {&pt_ept, 0x0000ffffffffffff, true},          {&pt_ept, 0x0001000000000000, false},
	    {&pt_ept, 0xffff800000000000, false},
	};

	for (size_t i = 0; i < sizeof(c) / sizeof(c[0]); i++)
		cr_expect_eq(pt_is_canonical(c[i].fmt, c[i].va), c[i].canonical, "case %zu", i);
}

/* The whole truth table of the flush rule; '-' none, 'F' flush due, 's' due where denials stick. */
Test(pgtable_format, flush_due)
{
	enum { ABSENT, LEAF, WRITABLE, SOFTWARE, DIRTY, ELSEWHERE, TABLE, OTHER_TABLE, NR };
	static const char want[NR][NR + 1] = {
	    /* to:       A L W S D E T O */
	    [ABSENT] = "-sssssss", [LEAF] = "F-s--FFF",      [WRITABLE] = "FF-FFFFF", [SOFTWARE] = "F-s--FFF",
	    [DIRTY] = "FFFF-FFF",  [ELSEWHERE] = "FFFFF-FF", [TABLE] = "FFFFFF-F",    [OTHER_TABLE] = "FFFFFFF-",
	};

	for (size_t f = 0; f < NR_FORMATS; f++) {
		const struct pt_format *fmt = all_formats[f];
		pt_attrs_t ro = plain_attrs(fmt) & ~PT_W;
		pte_t e[NR] = {
		    [LEAF] = fmt->make_leaf(2, 1ull << 21, ro),
		    [WRITABLE] = fmt->make_leaf(2, 1ull << 21, ro | PT_W),
		    [SOFTWARE] = fmt->make_leaf(2, 1ull << 21, ro | PT_SW1),
		    [DIRTY] = fmt->make_leaf(2, 1ull << 21, ro | (fmt->attrs & PT_D)),
		    [ELSEWHERE] = fmt->make_leaf(2, 1ull << 22, ro),
		    [TABLE] = fmt->make_table(2, 0x5000),
		    [OTHER_TABLE] = fmt->make_table(2, 0x6000),
		};

		for (int from = 0; from < NR; from++)
			for (int to = 0; to < NR; to++) {
				bool due = want[from][to] == 'F' || (want[from][to] == 's' && fmt->denials_stick);

				if ((from == DIRTY || to == DIRTY) && !(fmt->attrs & PT_D))
					continue;
				cr_expect_eq(pt_flush_due(fmt, e[from], e[to], 2), due, "%s: %d to %d", fmt->name, from,
				             to);
			}
	}
	cr_expect_eq(fake_wrong_level, 0);
}

/* U, G, MMIO and owner owe a flush both ways: neither value is "more". */
Test(pgtable_format, flush_due_both_ways)
{
	const struct {
		const struct pt_format *fmt;
		pt_attrs_t attrs;
	} c[] = {{&pt_x86_64, PT_U},
	         {&pt_x86_64, PT_G},
	         {&pt_x86_64, PT_MMIO},
	         {&pt_ept, PT_MMIO},
	         {&pt_enclave, PT_OWNER(8)}};

	for (size_t i = 0; i < sizeof(c) / sizeof(c[0]); i++) {
		pte_t a = c[i].fmt->make_leaf(1, 0x1000, plain_attrs(c[i].fmt));
		pte_t b = c[i].fmt->make_leaf(1, 0x1000, plain_attrs(c[i].fmt) | c[i].attrs);

		cr_expect(pt_flush_due(c[i].fmt, a, b, 1) && pt_flush_due(c[i].fmt, b, a, 1), "case %zu", i);
	}
}
