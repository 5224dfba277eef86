/* SPDX-License-Identifier: MIT */
/*
 * What the shadow owes the CPU when it takes a right away: the entry is changed by an edit, which the stub stores,
 * never by the VMM, and every TLB that may hold the old one is flushed. No guest on the hosts at hand can see a flush
 * that is missing: their exits flush by themselves, or KVM does when the stub stores.
 */
#include <criterion/criterion.h>
#include <gnomon/x86.h>
#include <stdlib.h>
#include <string.h>

#include "shadow/internal.h"

#define MEMORY     (4ull << 20)
#define POOL_PAGES 64
#define POOL_BASE  0xe0000000
#define TABLES     0x1000 /* level 4; the others follow */
#define TABLE(l)   (TABLES + PAGE_SIZE * (4 - (l)))
#define PAGE       0x10000
#define GVA        0x5000ull
#define RW         (PTE_P | PTE_W | PTE_U | PTE_A | PTE_D)

static struct guest_mem mem;
static struct stage2 s2;
static struct shadow *sh;
static struct counters counters;
static uint8_t *pool;
static int quiesced;
static uint64_t oldest = UINT64_MAX; /* of another vCPU in the guest */
static const struct shadow_view view = {.walk = {.cr3 = {TABLES}, .wp = true, .nxe = true, .maxphyaddr = 40}};

static void count_quiesce(void *ctx, struct counters *c)
{
	quiesced++;
}

static uint64_t oldest_flush(void *ctx)
{
	return oldest;
}

static int no_recycling(void *ctx)
{
	return 0;
}

static const struct shadow_ops ops = {.quiesce = count_quiesce, .oldest_flush = oldest_flush, .recycle_pool = no_recycling};

static uint64_t *guest_entry(int level, gva_t gva)
{
	return guest_mem_ptr(&mem, maddr_init(TABLE(level) + 8 * gva_index(gva, level)), 8);
}

static void set_up(void)
{
	cr_assert_eq(guest_mem_init(&mem, MEMORY, BACKING_4K), 0);
	cr_assert_eq(stage2_init(&s2, &mem), 0);
	pool = aligned_alloc(PAGE_SIZE, POOL_PAGES * PAGE_SIZE);
	cr_assert_not_null(pool);
	memset(pool, 0, POOL_PAGES * PAGE_SIZE);
	sh = shadow_create(&(struct shadow_params){
	    .s2 = &s2,
	    .pool = pool,
	    .pool_base = maddr_init(POOL_BASE),
	    .nr_frames = POOL_PAGES,
	    .ops = &ops,
	    .opts = SHADOW_OPT_ROOT_CACHE | SHADOW_OPT_EMULATE_UPDATE,
	    .maxphyaddr = view.walk.maxphyaddr,
	});
	cr_assert_not_null(sh);
	for (int level = 4; level > 1; level--)
		*guest_entry(level, gva_init(GVA)) = TABLE(level - 1) | RW;
	*guest_entry(1, gva_init(GVA)) = PAGE | RW;
}

static void tear_down(void)
{
	shadow_destroy(sh);
	stage2_destroy(&s2);
	guest_mem_destroy(&mem);
	free(pool);
}

TestSuite(shadow_edits, .init = set_up, .fini = tear_down);

static void touch(uint64_t gva)
{
	struct walk walk;

	cr_assert_eq(shadow_fault(sh, &counters, &view, gva_init(gva), (struct walk_access){0}, &walk), SHADOW_FILLED);
}

/* What the CPU finds: the pool walked from the root. NULL: nothing on the way. */
static const uint64_t *live_leaf(uint64_t gva)
{
	maddr_t root;
	bool built;
	const uint64_t *table;

	cr_assert(shadow_root(sh, &counters, &view, &root, &built));
	table = (const uint64_t *)(void *)(pool + (maddr_raw(root) - POOL_BASE));
	for (int level = 4; level > 1; level--) {
		uint64_t e = table[gva_index(gva_init(gva), level)];

		if (!(e & PTE_P))
			return NULL;
		table = (const uint64_t *)(void *)(pool + ((e & PTE_ADDR) - POOL_BASE));
	}
	return &table[gva_index(gva_init(gva), 1)];
}

static void guest_writes(int level, uint64_t gva, uint64_t value)
{
	*guest_entry(level, gva_init(gva)) = value;
	shadow_written(sh, &counters, gpa_init(TABLE(level) + 8 * gva_index(gva_init(gva), level)), 8);
}

/* No CPU caches an absence: the first entry is stored at once and flushes nothing. */
Test(shadow_edits, a_first_entry_costs_no_edit_and_no_flush)
{
	const uint64_t before = sh->flushes;

	touch(GVA);
	cr_assert_eq(*live_leaf(GVA) & (PTE_P | PTE_W), PTE_P | PTE_W);
	cr_assert_eq(sh->nr_edits, 0);
	cr_assert_eq(sh->flushes, before);
}

/* A right that goes: one edit of just that entry, a flush, and not a byte stored by the VMM. */
static void takes_away(int level, uint64_t value, uint64_t right)
{
	uint64_t before, old;
	const uint64_t *leaf;

	touch(GVA);
	before = sh->flushes;
	leaf = live_leaf(GVA);
	old = *leaf;
	guest_writes(level, GVA, value);
	cr_assert_eq(*leaf, old, "the VMM stored into a live entry");
	cr_assert_eq(sh->nr_edits, 1);
	cr_assert_eq(sh->edit[0].value.raw & right, 0);
	if (level == 1)
		cr_assert_eq(maddr_raw(sh->edit[0].entry) - POOL_BASE, (uint64_t)((const uint8_t *)leaf - pool));
	cr_assert_neq(sh->flushes, before, "other CPUs go on with the old entry");
}

Test(shadow_edits, a_page_that_becomes_read_only_is_edited_and_flushed)
{
	takes_away(1, PAGE | PTE_P | PTE_U | PTE_A | PTE_D, PTE_W);
}

Test(shadow_edits, a_page_that_goes_is_edited_and_flushed)
{
	takes_away(1, 0, PTE_P);
}

Test(shadow_edits, a_table_that_goes_is_edited_and_flushed)
{
	takes_away(2, 0, PTE_P);
}

/* A page that becomes a table: no CPU may be writing it when it is taken over, nor write it unseen afterwards. */
Test(shadow_edits, a_page_that_becomes_a_table_is_write_protected_and_flushed)
{
	const uint64_t other = GVA + (2ull << 20);
	uint64_t before, *table;

	touch(GVA);
	before = sh->flushes;
	quiesced = 0;
	table = guest_mem_ptr(&mem, maddr_init(PAGE), PAGE_SIZE);
	table[gva_index(gva_init(other), 1)] = (PAGE + PAGE_SIZE) | RW;
	guest_writes(2, other, PAGE | RW);
	touch(other);
	cr_assert_gt(quiesced, 0);
	cr_assert_eq(sh->nr_edits, 1);
	cr_assert_eq(sh->edit[0].value.raw & (PTE_P | PTE_W), PTE_P);
	cr_assert_neq(sh->flushes, before, "other CPUs write the table unseen");
}

/*
 * PAGE, which no entry maps any more, becomes the leaf table of `other`. Returns how often vCPUs were taken out for it.
 */
static int becomes_a_table(uint64_t other)
{
	uint64_t *table = guest_mem_ptr(&mem, maddr_init(PAGE), PAGE_SIZE);

	table[gva_index(gva_init(other), 1)] = (PAGE + PAGE_SIZE) | RW;
	guest_writes(2, other, PAGE | RW);
	quiesced = 0;
	touch(other);
	return quiesced;
}

/*
 * The same when its entry is gone already, and a vCPU in the guest did not flush since: it has a TLB, or walks tables
 * that are the shadow's no more, and would write the table unseen.
 */
Test(shadow_edits, a_page_that_is_known_to_a_tlb_alone_takes_that_cpu_out)
{
	touch(GVA);
	oldest = sh->flushes;
	guest_writes(1, GVA, 0);
	cr_assert_gt(becomes_a_table(GVA + (2ull << 20)), 0);
}

/* So when it is mapped still, but no more to be written. */
Test(shadow_edits, a_page_that_a_tlb_alone_may_write_takes_that_cpu_out)
{
	touch(GVA);
	oldest = sh->flushes;
	guest_writes(1, GVA, PAGE | PTE_P | PTE_U | PTE_A | PTE_D);
	cr_assert_gt(becomes_a_table(GVA + (2ull << 20)), 0);
}

/* So when the page of shadow entries went as a whole: many changes, or one that is written again and again. */
Test(shadow_edits, a_page_whose_shadow_table_went_takes_cpus_out)
{
	sh->opts |= SHADOW_OPT_FLOOD;
	touch(GVA);
	oldest = sh->flushes;
	for (int level = 1; level <= 4; level++)
		for (int i = 0; i < 8; i++)
			guest_writes(level, GVA + (8ull << (12 + 9 * (level - 1))), 0);
	cr_assert_eq(counter_read(&counters, CTR_SHADOW_FLOODS), 4);
	cr_assert_gt(becomes_a_table(GVA + (2ull << 20)), 0);
}

Test(shadow_edits, a_page_that_every_cpu_has_forgotten_takes_nobody_out)
{
	touch(GVA);
	guest_writes(1, GVA, 0);
	oldest = sh->flushes;
	cr_assert_eq(becomes_a_table(GVA + (2ull << 20)), 0);
}

/*
 * While one vCPU may write a table that has a shadow, the others are out of the guest; afterwards the shadow is in
 * step.
 */
Test(shadow_edits, an_open_table_takes_cpus_out)
{
	touch(GVA);
	quiesced = 0;
	cr_assert(shadow_open(sh, &counters, gfn_init(TABLE(1) / PAGE_SIZE)));
	cr_assert_gt(quiesced, 0);
	*guest_entry(1, gva_init(GVA)) = 0;
	shadow_close_all(sh, &counters);
	cr_assert(sh->nr_edits == 1 && sh->edit[0].value.raw == 0);
}

/* The stub, interrupted after `n` of the edits: it will store all of them again. */
static void store_some(unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		memcpy(pool + (maddr_raw(sh->edit[i].entry) - POOL_BASE), &sh->edit[i].value, sizeof(uint64_t));
}

/*
 * A slice goes, comes back, is touched and goes once more before the stub is through with its edits: between two of the
 * same entry nothing is there, but one that would put it back waits. What is stored last is that it is gone.
 */
Test(shadow_edits, what_goes_between_two_edits_stays_away)
{
	const uint64_t *leaf;

	touch(GVA);
	leaf = live_leaf(GVA);
	for (int i = 0; i < 2; i++) {
		shadow_zap_gpa(sh, &counters, gpa_init(PAGE), maddr_init(PAGE), PAGE_SIZE);
		if (i == 0)
			touch(GVA);
		store_some(1);
	}
	store_some(sh->nr_edits);
	cr_assert_eq(*leaf, 0, "0x%lx", *leaf);
}

/* The same when a device writes the guest's entry in between: what is stored last is what it wrote. */
Test(shadow_edits, what_is_written_between_two_edits_stays)
{
	const uint64_t *leaf;

	touch(GVA);
	leaf = live_leaf(GVA);
	shadow_zap_gpa(sh, &counters, gpa_init(PAGE), maddr_init(PAGE), PAGE_SIZE);
	touch(GVA);
	store_some(1);
	cr_assert_eq(*leaf, 0);
	guest_writes(1, GVA, (PAGE + PAGE_SIZE) | RW);
	store_some(sh->nr_edits);
	cr_assert_eq(*leaf & PTE_ADDR, PAGE + PAGE_SIZE, "0x%lx", *leaf);
}
