/* SPDX-License-Identifier: MIT */
/* A walk reference by reference: what is read, in which order, where it ends; nothing is written, whatever the tables are. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "stage2_machine.h"
#include "walk/rule.h"
#include "walk/trace.h"

#define ROOT 0x200000 /* the guest's tables: of level 4, 3, 2 and 1, a page each */
#define L3   0x201000
#define L2   0x202000
#define L1   0x203000
#define PAGE 0x400000
#define GVA  0x0000008040604008ull /* index 1, 1, 3, 4 */
#define ALL  (PTE_P | PTE_W | PTE_U)

static struct walk_mode mode = {
    .cr3 = {ROOT}, .wp = true, .nxe = true, .smep = true, .smap = true, .gbpages = true, .maxphyaddr = 40};
static const struct walk_access kernel_read = {0};
static struct trace t;

static void put(uint64_t table, unsigned index, uint64_t entry)
{
	memcpy(ptr(table + 8 * index, 8), &entry, 8);
}

static void tables(uint64_t e4, uint64_t e3, uint64_t e2, uint64_t e1)
{
	put(ROOT, 1, e4);
	put(L3, 1, e3);
	put(L2, 3, e2);
	put(L1, 4, e1);
}

static void usual(void)
{
	make(SMALL);
	tables(L3 | PTE_P | PTE_W, L2 | PTE_P | PTE_W, L1 | PTE_P | PTE_W, PAGE | PTE_P | PTE_W);
}

static void walk(struct walk_access access)
{
	trace_walk(&s2, &mode, gva_init(GVA), access, &t);
}

/* "s4 s3 s2 g4 ...": the second stage's entries and the guest's, by level. */
static void expect_order(const char *expected)
{
	char text[4 * TRACE_MAX] = "";

	for (int i = 0; i < t.nr; i++)
		sprintf(text + strlen(text), "%s%c%d", i ? " " : "", trace_is_guest(&t.ref[i]) ? 'g' : 's',
		        t.ref[i].step.level);
	cr_expect_str_eq(text, expected);
}

static void expect_sentence(struct walk_access access, const char *expected)
{
	char text[WALK_SENTENCE];

	walk_rule_sentence(&mode, access, &t.walk, text);
	cr_expect_str_eq(text, expected);
}

/* With 2 MiB below: 3 references for each of the guest's 4 entries and for the data. With 4 KiB: 24 in all. */
Test(stage2, trace_order)
{
	usual();
	walk(kernel_read);
	expect_order("s4 s3 s2 g4 s4 s3 s2 g3 s4 s3 s2 g2 s4 s3 s2 g1 s4 s3 s2");
	cr_expect_eq(stage2_split(&s2, gpa_init(ROOT), &g), 0);
	cr_expect_eq(stage2_split(&s2, gpa_init(PAGE), &g), 0);
	walk(kernel_read);
	expect_order("s4 s3 s2 s1 g4 s4 s3 s2 s1 g3 s4 s3 s2 s1 g2 s4 s3 s2 s1 g1 s4 s3 s2 s1");
	cr_expect_eq(t.nr, 24);
	for (int i = 0; i < t.nr; i++)
		cr_expect_eq(t.ref[i].row, 4 - i / 5);
	cr_expect_eq(t.ref[4].step.at, ROOT + 8u);
	cr_expect_eq(t.ref[19].step.at, L1 + 32u);
	cr_expect_eq(pte_raw(t.ref[19].step.entry), PAGE | PTE_P | PTE_W);
	cr_expect(t.has_memory);
	cr_expect_eq(maddr_raw(t.maddr), maddr_of(PAGE + 8));
	expect_sentence(kernel_read, "The guest's tables allow it.");
}

Test(stage2, trace_of_large_pages)
{
	usual();
	put(L2, 3, PAGE | PTE_P | PTE_PS);
	walk(kernel_read);
	expect_order("s4 s3 s2 g4 s4 s3 s2 g3 s4 s3 s2 g2 s4 s3 s2");
	put(L3, 1, PTE_P | PTE_PS);
	walk(kernel_read);
	expect_order("s4 s3 s2 g4 s4 s3 s2 g3 s4 s3 s2");
}

/* It reads, and leaves memory as it is, A and D included. */
Test(stage2, trace_writes_nothing)
{
	static uint8_t before[SMALL];

	usual();
	memcpy(before, ptr(0, SMALL), SMALL);
	walk((struct walk_access){.write = true});
	cr_expect_eq(t.walk.outcome, WALK_OK);
	cr_expect_eq(memcmp(before, ptr(0, SMALL), SMALL), 0);
}

/* It says at which level it ends, and makes no reference beyond. */
Test(stage2, trace_of_what_is_not_mapped)
{
	static const char *const sentence[] = {
	    "", "The entry at level 1 is not present: P is 0.", "The entry at level 2 is not present: P is 0.",
	    "The entry at level 3 is not present: P is 0.", "The entry at level 4 is not present: P is 0."};
	static const uint64_t table[] = {0, L1, L2, L3, ROOT};
	static const unsigned index[] = {0, 4, 3, 1, 1};

	usual();
	for (int level = 1; level <= 4; level++) {
		put(table[level], index[level], ~(uint64_t)PTE_P);
		walk(kernel_read);
		cr_expect_eq(t.nr, 4 * (5 - level));
		cr_expect_eq(t.walk.error_code, 0);
		expect_sentence(kernel_read, sentence[level]);
	}
	trace_walk(&s2, &mode, gva_init(1ull << 47), kernel_read, &t);
	cr_expect_eq(t.nr, 0);
	expect_sentence(kernel_read,
	                "The address is not canonical: bits 63 to 47 are not all alike. The CPU reads no table.");
}

/* Tables that lead to themselves, or where no memory is. */
Test(stage2, trace_of_hostile_tables)
{
	make(SMALL);
	for (unsigned i = 0; i < 512; i++)
		put(ROOT, i, ROOT | ALL);
	walk((struct walk_access){.user = true});
	expect_order("s4 s3 s2 g4 s4 s3 s2 g3 s4 s3 s2 g2 s4 s3 s2 g1 s4 s3 s2");
	cr_expect_eq(gpa_raw(t.walk.gpa), ROOT + 8u);
	put(ROOT, 1, SMALL | ALL);
	walk(kernel_read);
	expect_order("s4 s3 s2 g4 s4 s3 s2");
	expect_sentence(kernel_read, "The table of level 3, at 0x800000, lies outside the guest's memory.");
	cr_expect_eq(pte_raw(t.ref[t.nr - 1].step.entry), 0u, "the second stage's entry that is not there");
	mode.maxphyaddr = 52;
	put(ROOT, 1, 0x000ffffffffff000 | ALL);
	walk(kernel_read);
	expect_order("s4 s3 s2 g4");
	expect_sentence(kernel_read, "The table of level 3, at 0xffffffffff000, lies outside the guest's memory.");
	mode.maxphyaddr = 40;
}

/* A page whose memory was taken away, or that never was any. */
Test(stage2, trace_to_no_memory)
{
	usual();
	cr_expect_eq(stage2_unmap(&s2, gpa_init(PAGE), PAGE_SIZE, &g), 0);
	walk(kernel_read);
	cr_expect_eq(t.walk.outcome, WALK_OK);
	cr_expect_not(t.has_memory);
	expect_order("s4 s3 s2 g4 s4 s3 s2 g3 s4 s3 s2 g2 s4 s3 s2 g1 s4 s3 s2 s1");
}

Test(stage2, trace_reserved)
{
	usual();
	put(L2, 3, L1 | PTE_P | 1ull << 45);
	walk((struct walk_access){.write = true});
	cr_expect_eq(t.walk.error_code, PFEC_P | PFEC_W | PFEC_RSVD);
	expect_sentence(kernel_read,
	                "Bit 45 of the entry at level 2 is reserved: this CPU has no such bit of a physical address.");
	put(L2, 3, PAGE | PTE_P | PTE_PS | 1 << 14);
	walk(kernel_read);
	expect_sentence(kernel_read,
	                "Bit 14 of the entry at level 2 is reserved: a large page begins at a multiple of its size.");
	put(ROOT, 1, L3 | PTE_P | PTE_PS);
	walk(kernel_read);
	expect_sentence(kernel_read, "Bit 7 of the entry at level 4 is reserved: no page is that large.");
	mode.nxe = false;
	put(ROOT, 1, L3 | PTE_P | PTE_NX);
	walk(kernel_read);
	expect_sentence(kernel_read,
	                "Bit 63 of the entry at level 4 is reserved: EFER.NXE is 0, so no entry may say NX.");
	mode.nxe = true;
}

Test(stage2, trace_denied)
{
	const struct walk_access write = {.write = true}, fetch = {.fetch = true}, user = {.user = true};

	usual();
	walk(user);
	cr_expect_eq(t.walk.error_code, PFEC_P | PFEC_U);
	expect_sentence(user, "U is 0 in the entry at level 4: the page is the kernel's alone.");
	put(L2, 3, L1 | PTE_P);
	walk(write);
	expect_sentence(write, "W is 0 in the entry at level 2, and CR0.WP is 1, which binds the kernel, too.");
	put(L3, 1, L2 | PTE_P | PTE_NX);
	walk(fetch);
	expect_sentence(fetch, "NX is 1 in the entry at level 3: nothing is executed there.");
	tables(L3 | ALL, L2 | ALL, L1 | ALL, PAGE | ALL);
	walk(kernel_read);
	expect_sentence(kernel_read,
	                "CR4.SMAP is 1 and RFLAGS.AC is 0: the kernel does not touch a program's page, and U is 1 "
	                "at every level.");
	walk(fetch);
	expect_sentence(fetch,
	                "CR4.SMEP is 1: the kernel does not execute a program's page, and U is 1 at every level.");
}

/* In every mode a rule is told if and only if one is broken, and it is one that the access and the entries can break. */
static void expect_rule(struct walk_access a)
{
	struct walk_rule r;
	uint64_t all = ~0ull, any = 0;

	walk(a);
	r = walk_broken_rule(&mode, a, &t.walk);
	cr_expect_eq(r.kind == RULE_KEPT, t.walk.outcome == WALK_OK);
	for (int level = 1; level <= 4; level++)
		all &= t.walk.gpte[level].raw, any |= t.walk.gpte[level].raw;
	if (r.level)
		cr_expect((r.kind == RULE_USER && !(t.walk.gpte[r.level].raw & PTE_U)) ||
		          (r.kind == RULE_WRITE && !(t.walk.gpte[r.level].raw & PTE_W)) ||
		          (r.kind == RULE_EXECUTE && t.walk.gpte[r.level].raw & PTE_NX));
	if (r.kind == RULE_USER || r.kind == RULE_WRITE)
		cr_expect(r.kind == RULE_USER ? a.user && !(all & PTE_U)
		                              : a.write && !(all & PTE_W) && (a.user || mode.wp));
	if (r.kind == RULE_SMEP)
		cr_expect(!a.user && a.fetch && mode.smep && all & PTE_U && !(any & PTE_NX));
	if (r.kind == RULE_SMAP)
		cr_expect(!a.user && !a.fetch && mode.smap && !a.ac && all & PTE_U);
}

Test(stage2, trace_rules_of_all_modes)
{
	static const uint64_t bits[] = {0,      PTE_W,          PTE_U,          PTE_W | PTE_U,
	                                PTE_NX, PTE_NX | PTE_W, PTE_NX | PTE_U, PTE_NX | PTE_W | PTE_U};

	usual();
	for (unsigned n = 0; n < 8 * 8 * 8 * 3 * 2 * 2; n++) {
		const uint64_t upper = bits[n % 8], leaf = bits[n / 8 % 8];
		const unsigned m = n / 64 % 8, access = n / 512 % 3;

		mode.wp = m & 1;
		mode.smep = m & 2;
		mode.smap = m & 4;
		tables(L3 | ALL, L2 | PTE_P | upper, L1 | ALL, PAGE | PTE_P | leaf);
		expect_rule((struct walk_access){
		    .user = n / 1536 % 2, .ac = n / 3072 % 2, .write = access == 1, .fetch = access == 2});
	}
	mode.wp = mode.smep = mode.smap = true;
}
