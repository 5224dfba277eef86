/* SPDX-License-Identifier: MIT */
/*
 * 2 MiB entries, unsync tables and eviction, entry by entry: what the CPU sees, and which changes go through the stub.
 * Guests rarely fill a whole table with like pages, so promotion above all is shown here.
 */
#include <criterion/criterion.h>
#include <gnomon/x86.h>
#include <stdlib.h>
#include <string.h>

#include "shadow_alone.h"

#define MEMORY     (16ull << 20)
#define POOL_PAGES 64
#define POOL_BASE  0xe0000000
#define TABLES     0x1000 /* level 4; the others follow */
#define TABLE(l)   (TABLES + PAGE_SIZE * (4 - (l)))
#define RUN        (4ull << 20) /* 512 pages, mapped in a row */
#define GVA        0ull
#define RW         (PTE_P | PTE_W | PTE_U | PTE_A | PTE_D)

static struct guest_mem mem;
static struct stage2 s2;
static struct shadow *sh;
static struct counters counters;
static uint8_t *pool;
static uint64_t seen[POOL_PAGES * PAGE_SIZE / 8];
static const struct shadow_view view = {.walk = {.cr3 = {TABLES}, .wp = true, .nxe = true, .maxphyaddr = 40}};

static int no_recycling(void *ctx)
{
	memset(pool, 0, POOL_PAGES * PAGE_SIZE);
	return 0;
}

static int quiesced;

static void count_quiesce(void *ctx, struct counters *c)
{
	quiesced++;
}

static const struct shadow_ops ops = {
    .quiesce = count_quiesce, .oldest_flush = alone_oldest_flush, .recycle_pool = no_recycling};

static uint64_t *guest_word(uint64_t at)
{
	return guest_mem_ptr(&mem, maddr_init(at), 8);
}

static uint64_t *guest_entry(int level, uint64_t gva)
{
	return guest_word(TABLE(level) + 8 * gva_index(gva_init(gva), level));
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
	    .opts = SHADOW_OPT_ALL & ~SHADOW_OPT_AD_FAST,
	    .maxphyaddr = view.walk.maxphyaddr,
	});
	cr_assert_not_null(sh);
	for (int level = 4; level > 1; level--)
		*guest_entry(level, GVA) = TABLE(level - 1) | RW;
	for (uint64_t i = 0; i < 512; i++)
		guest_word(TABLE(1))[i] = (RUN + i * PAGE_SIZE) | RW;
}

static void tear_down(void)
{
	shadow_destroy(sh);
	stage2_destroy(&s2);
	guest_mem_destroy(&mem);
	free(pool);
}

TestSuite(shadow_sizes, .init = set_up, .fini = tear_down);

static enum shadow_outcome touch(uint64_t gva, bool write)
{
	struct walk walk;

	return shadow_fault(sh, &counters, &view, gva_init(gva), (struct walk_access){.write = write}, &walk);
}

/*
 * What the stub does, with KVM looking on as it does where it shadows in software: an entry that it has seen it
 * believes to be there until the guest's CPU stores another value.
 */
static void store_edits(void)
{
	const uint64_t *now = (const uint64_t *)(void *)pool;

	for (size_t i = 0; i < POOL_PAGES * PAGE_SIZE / 8; i++) {
		cr_assert(!seen[i] || seen[i] == now[i], "the VMM stored into a live entry, which KVM does not see");
		seen[i] = now[i];
	}
	for (unsigned i = 0; i < sh->nr_edits; i++) {
		const uint64_t at = maddr_raw(sh->edit[i].entry) - POOL_BASE;

		memcpy(pool + at, &sh->edit[i].value, 8);
		seen[at / 8] = sh->edit[i].value.raw;
	}
	sh->nr_edits = 0;
}

static void audit(void)
{
	char text[512] = "";

	store_edits();
	cr_assert(shadow_audit(sh, text, sizeof(text)), "%s", text);
}

/* The entry that the CPU finds for `gva`, with its level; 0 when there is none. */
static uint64_t live(uint64_t gva, int *ret_level)
{
	maddr_t root;
	const uint64_t *table;
	bool built;

	cr_assert(shadow_root(sh, &counters, &view, &root, &built));
	table = (const uint64_t *)(void *)(pool + (maddr_raw(root) - POOL_BASE));
	for (int level = 4;; level--) {
		const uint64_t e = table[gva_index(gva_init(gva), level)];

		*ret_level = level;
		if (!(e & PTE_P) || level == 1 || e & PTE_PS)
			return e;
		table = (const uint64_t *)(void *)(pool + ((e & PTE_ADDR) - POOL_BASE));
	}
}

static void guest_writes(uint64_t at, uint64_t value)
{
	*guest_word(at) = value;
	shadow_written(sh, &counters, gpa_init(at), 8);
}

/* 512 like pages in a row become one entry, after one fault. */
Test(shadow_sizes, a_full_table_is_promoted)
{
	int level;

	cr_assert_eq(touch(GVA, true), SHADOW_FILLED);
	store_edits();
	cr_assert_eq(live(GVA + 7 * PAGE_SIZE, &level) & (PTE_ADDR | PTE_W | PTE_PS), RUN | PTE_W | PTE_PS);
	cr_assert_eq(level, 2);
	audit();
}

/* What is not in a row, or not alike, is not promoted. */
Test(shadow_sizes, a_table_that_is_not_uniform_stays)
{
	int level;

	guest_word(TABLE(1))[9] &= ~PTE_W;
	cr_assert_eq(touch(GVA, true), SHADOW_FILLED);
	store_edits();
	live(GVA, &level);
	cr_assert_eq(level, 1);
	audit();
}

/* One page of a promoted table changes: its 2 MiB entry goes in the same edits, and the neighbours stay. */
Test(shadow_sizes, a_promotion_is_undone_by_a_write)
{
	int level;

	cr_assert_eq(touch(GVA, true), SHADOW_FILLED);
	store_edits();
	guest_writes(TABLE(1) + 8 * 5, 0);
	store_edits();
	cr_assert_eq(live(GVA + 5 * PAGE_SIZE, &level), 0);
	cr_assert_eq(level, 1);
	cr_assert_eq(live(GVA + 6 * PAGE_SIZE, &level) & PTE_ADDR, RUN + 6 * PAGE_SIZE);
	audit();
}

/* A page in the run becomes a table: nothing may write it any more, by whatever size. */
Test(shadow_sizes, a_promotion_is_undone_by_a_table_inside)
{
	const uint64_t other = PAGE_2M;
	int level;

	cr_assert_eq(touch(GVA, true), SHADOW_FILLED);
	store_edits();
	guest_writes(TABLE(2) + 8, (RUN + 3 * PAGE_SIZE) | RW);
	guest_word(RUN + 3 * PAGE_SIZE)[0] = (8ull << 20) | RW;
	cr_assert_eq(touch(other, false), SHADOW_FILLED);
	store_edits();
	cr_assert_eq(live(GVA + 3 * PAGE_SIZE, &level) & (PTE_P | PTE_W), PTE_P);
	cr_assert_eq(level, 1);
	audit();
}

/* A 2 MiB guest page is one entry; a table inside it makes that 4 KiB entries, of which its own is read-only. */
Test(shadow_sizes, a_large_page_gives_way_to_a_table_inside)
{
	const uint64_t other = PAGE_2M;
	int level;

	*guest_entry(2, GVA) = RUN | RW | PTE_PS;
	cr_assert_eq(touch(GVA, true), SHADOW_FILLED);
	cr_assert_eq(live(GVA, &level) & (PTE_ADDR | PTE_W), RUN | PTE_W);
	cr_assert_eq(level, 2);
	guest_word(RUN + 3 * PAGE_SIZE)[0] = (8ull << 20) | RW;
	guest_writes(TABLE(2) + 8, (RUN + 3 * PAGE_SIZE) | RW);
	cr_assert_eq(touch(other, false), SHADOW_FILLED);
	store_edits();
	live(GVA, &level);
	cr_assert_eq(level, 2);
	cr_assert_eq(live(GVA, &level), 0, "the large entry still makes the table writable");
	cr_assert_eq(touch(GVA, true), SHADOW_FILLED);
	cr_assert_eq(live(GVA, &level) & PTE_W, PTE_W);
	cr_assert_eq(level, 1);
	cr_assert_eq(touch(GVA + 3 * PAGE_SIZE, false), SHADOW_FILLED);
	cr_assert_eq(live(GVA + 3 * PAGE_SIZE, &level) & (PTE_P | PTE_W), PTE_P);
	audit();
}

/* A hole in the second stage: no entry, of whatever size, reaches what is not the guest's any more. */
Test(shadow_sizes, no_entry_reaches_what_the_second_stage_left_out)
{
	struct pt_gather g = PT_GATHER_INIT;
	int level;

	cr_assert_eq(stage2_unmap(&s2, gpa_init(RUN + 4 * PAGE_SIZE), PAGE_SIZE, &g), 0);
	pt_gather_finish(&s2.pt, &g);
	cr_assert_eq(touch(GVA, true), SHADOW_FILLED);
	store_edits();
	live(GVA, &level);
	cr_assert_eq(level, 1);
	cr_assert_eq(live(GVA + 4 * PAGE_SIZE, &level), 0);
	*guest_entry(2, PAGE_2M) = RUN | RW | PTE_PS;
	cr_assert_eq(touch(PAGE_2M, true), SHADOW_FILLED);
	live(PAGE_2M, &level);
	cr_assert_eq(level, 1);
	cr_assert_eq(touch(PAGE_2M + 4 * PAGE_SIZE, true), SHADOW_MMIO);
	audit();
}

/* The hole is filled again: the 4 KiB entries of its 2 MiB go, by edits, and the next access gets one for all. */
Test(shadow_sizes, a_large_page_comes_back)
{
	const uint64_t hole = RUN + 4 * PAGE_SIZE, elsewhere = PAGE_2M;
	struct pt_gather g = PT_GATHER_INIT;
	int level;

	*guest_entry(2, GVA) = *guest_entry(2, elsewhere) = RUN | RW | PTE_PS;
	cr_assert_eq(touch(GVA, true), SHADOW_FILLED);
	cr_assert_eq(stage2_unmap(&s2, gpa_init(hole), PAGE_SIZE, &g), 0);
	shadow_zap_gpa(sh, &counters, gpa_init(hole), maddr_init(hole), PAGE_SIZE);
	pt_gather_finish(&s2.pt, &g);
	store_edits();
	cr_assert_eq(live(GVA, &level), 0);
	cr_assert_eq(touch(GVA, true), SHADOW_FILLED);
	cr_assert_eq(touch(elsewhere, true), SHADOW_FILLED);
	live(GVA, &level);
	cr_assert_eq(level, 1);
	audit();
	cr_assert_eq(stage2_map(&s2, gpa_init(hole), PAGE_SIZE, &g), 0);
	shadow_join_gpa(sh, &counters, gpa_init(RUN));
	cr_assert_eq(sh->nr_edits, 0, "the second stage still has small pages");
	cr_assert_eq(stage2_collapse(&s2, gpa_init(RUN), &g), 0);
	pt_gather_finish(&s2.pt, &g);
	shadow_join_gpa(sh, &counters, gpa_init(RUN));
	audit();
	cr_assert_eq(live(GVA, &level), 0);
	cr_assert_eq(live(elsewhere, &level), 0);
	cr_assert_eq(touch(GVA + 4 * PAGE_SIZE, true), SHADOW_FILLED);
	cr_assert_eq(live(GVA, &level) & (PTE_ADDR | PTE_W), RUN | PTE_W);
	cr_assert_eq(level, 2);
	audit();
}

/* Lazily no table is protected, at no level; all of them catch up at the flush, and what is linked anew does before. */
Test(shadow_sizes, lazy_tables_catch_up_at_the_flush)
{
	const uint64_t window = PAGE_2M, other = TABLE(1) + PAGE_SIZE;
	int level;

	sh->opts = SHADOW_OPT_ALL | SHADOW_OPT_LAZY;
	guest_word(TABLE(1))[9] &= ~PTE_W; /* no promotion */
	*guest_word(other) = TABLE(2) | RW;
	guest_word(other)[1] = RUN | RW;
	*guest_entry(2, window) = other | RW;
	cr_assert_eq(touch(GVA, true), SHADOW_FILLED);
	cr_assert_eq(touch(window, true), SHADOW_FILLED);
	store_edits();
	cr_assert_eq(live(window, &level) & (PTE_ADDR | PTE_W), TABLE(2) | PTE_W,
	             "a table of level 2, writable at once");
	*guest_entry(2, GVA) = other | RW; /* unseen */
	cr_assert_neq(live(GVA, &level) & PTE_ADDR, TABLE(2));
	audit();
	shadow_flushed(sh, &counters, gpa_init(TABLES));
	store_edits();
	cr_assert_eq(live(GVA, &level), 0);
	guest_word(other)[1] = 0; /* not flushed; but GVA's 2 MiB have never led here */
	cr_assert_eq(touch(GVA, true), SHADOW_FILLED);
	store_edits();
	cr_assert_eq(live(GVA, &level) & PTE_ADDR, TABLE(2));
	cr_assert_eq(live(GVA + PAGE_SIZE, &level), 0);
	cr_assert_eq(counter_read(&counters, CTR_SHADOW_WRITE_PROTECTS), 0u);
	audit();
}

/* A fault walks the tables as they stand: D goes into the table that leads there now, not into the one that did. */
Test(shadow_sizes, lazy_faults_take_no_short_cut)
{
	const uint64_t other = TABLE(1) + PAGE_SIZE;

	sh->opts = SHADOW_OPT_ALL | SHADOW_OPT_LAZY;
	guest_word(TABLE(1))[3] &= ~PTE_D;
	guest_word(other)[3] = RUN | (RW & ~PTE_D);
	cr_assert_eq(touch(GVA + 3 * PAGE_SIZE, false), SHADOW_FILLED);
	*guest_entry(2, GVA) = other | RW; /* unseen, not flushed */
	cr_assert_eq(touch(GVA + 3 * PAGE_SIZE, true), SHADOW_FILLED);
	cr_assert_eq(guest_word(TABLE(1))[3] & PTE_D, 0u);
	cr_assert_eq(guest_word(other)[3] & PTE_D, PTE_D);
	audit();
}

/* A leaf table that the guest maps for itself becomes writable at the first write, and catches up at the flush. */
Test(shadow_sizes, an_unsync_table_catches_up_at_the_flush)
{
	const uint64_t window = PAGE_2M;
	int level;

	guest_word(TABLE(1))[9] &= ~PTE_W; /* no promotion */
	*guest_entry(2, window) = (TABLE(1) + PAGE_SIZE) | RW;
	*guest_word(TABLE(1) + PAGE_SIZE) = TABLE(1) | RW;
	cr_assert_eq(touch(GVA, true), SHADOW_FILLED);
	cr_assert_eq(touch(window, true), SHADOW_FILLED);
	store_edits();
	cr_assert_eq(live(window, &level) & PTE_W, PTE_W);
	guest_word(TABLE(1))[5] = 0; /* unseen */
	audit();
	shadow_flushed(sh, &counters, gpa_init(TABLES));
	store_edits();
	cr_assert_eq(live(GVA + 5 * PAGE_SIZE, &level), 0);
	cr_assert_eq(live(window, &level) & PTE_W, PTE_W, "it changed: it stays writable");
	shadow_flushed(sh, &counters, gpa_init(TABLES));
	store_edits();
	cr_assert_eq(live(window, &level) & (PTE_P | PTE_W), PTE_P, "it did not change: it is protected again");
	audit();
}

/*
 * More tables than the pool has frames: the oldest go, with every CPU out of the guest, what they held is cleared by
 * edits, and nothing is dropped.
 */
Test(shadow_sizes, the_oldest_pages_are_evicted)
{
	const uint64_t drops = counter_read(&counters, CTR_SHADOW_DROPS);
	int level;

	for (uint64_t i = 1; i < 200; i++) {
		const uint64_t table = TABLES + (16 + i) * PAGE_SIZE;

		*guest_entry(2, i * PAGE_2M) = table | RW;
		*guest_word(table) = (8ull << 20) | RW;
		cr_assert_eq(touch(i * PAGE_2M, false), SHADOW_FILLED);
		audit();
		cr_assert_eq(live(i * PAGE_2M, &level) & PTE_ADDR, 8ull << 20);
	}
	cr_assert_eq(counter_read(&counters, CTR_SHADOW_DROPS), drops);
	cr_assert_gt(counter_read(&counters, CTR_SHADOW_EVICTIONS), 100);
	cr_assert_gt(quiesced, 10, "CPUs walk frames that are used again");
	cr_assert_eq(live(PAGE_2M, &level), 0);
	cr_assert_eq(level, 2);
}
