/* SPDX-License-Identifier: MIT */
/*
 * The shadow over a second stage that is not one to one: 2 MiB blocks change places with their neighbours, and in one
 * of them 4 KiB pages do. Guests on real hosts always find gpa and maddr to be the same number, so only here does it
 * show when somebody takes one for the other, or takes pages in a row for frames in a row.
 */
#include <criterion/criterion.h>
#include <gnomon/x86.h>
#include <stdlib.h>
#include <string.h>

#include "shadow_alone.h"

#define MEMORY     (16ull << 20)
#define POOL_PAGES 128
#define POOL_BASE  0xe0000000
#define TABLES     0x1000 /* level 4; the others follow */
#define TABLE(l)   (TABLES + PAGE_SIZE * (4 - (l)))
#define WHOLE      (4 * PAGE_2M) /* a block whose frames lie in a row */
#define SHUFFLED   (3 * PAGE_2M) /* the one whose frames do not */
#define RW         (PTE_P | PTE_W | PTE_U | PTE_A | PTE_D)

static struct guest_mem mem;
static struct stage2 s2;
static struct shadow *sh;
static struct counters counters;
static uint8_t *pool;
static const struct shadow_view view = {.walk = {.cr3 = {TABLES}, .wp = true, .nxe = true, .maxphyaddr = 40}};

static int clear_pool(void *ctx)
{
	memset(pool, 0, POOL_PAGES * PAGE_SIZE);
	return 0;
}

static const struct shadow_ops ops = {.quiesce = alone_quiesce, .oldest_flush = alone_oldest_flush, .recycle_pool = clear_pool};

/* Its own inverse. */
static uint64_t cross(uint64_t at)
{
	const uint64_t other = at ^ PAGE_2M, block = at & ~(PAGE_2M - 1);

	return block == SHUFFLED || block == (SHUFFLED ^ PAGE_2M) ? other ^ PAGE_SIZE : other;
}

static void cross_all(void)
{
	struct pt_gather g = PT_GATHER_INIT;

	for (uint64_t at = 0; at < MEMORY; at += PAGE_SIZE)
		cr_assert_eq(pt_map(&s2.pt, at, PAGE_SIZE, cross(at), PT_RWX, 1, &g), 0);
	for (uint64_t at = 0; at < MEMORY; at += PAGE_2M) {
		const int r = pt_collapse(&s2.pt, at, 2, &g);

		cr_assert_eq(r == 0, cross(at) % PAGE_2M == 0);
	}
	pt_gather_finish(&s2.pt, &g);
}

/* The guest's memory as the guest knows it, by way of the frames. */
static uint64_t *guest_word(uint64_t gpa)
{
	return guest_mem_ptr(&mem, maddr_init(cross(gpa)), 8);
}

static void begin(unsigned opts)
{
	cr_assert_eq(guest_mem_init(&mem, MEMORY, BACKING_4K), 0);
	cr_assert_eq(stage2_init(&s2, &mem), 0);
	cross_all();
	pool = aligned_alloc(PAGE_SIZE, POOL_PAGES * PAGE_SIZE);
	cr_assert_not_null(pool);
	memset(pool, 0, POOL_PAGES * PAGE_SIZE);
	sh = shadow_create(&(struct shadow_params){
	    .s2 = &s2,
	    .pool = pool,
	    .pool_base = maddr_init(POOL_BASE),
	    .nr_frames = POOL_PAGES,
	    .ops = &ops,
	    .opts = opts,
	    .maxphyaddr = view.walk.maxphyaddr,
	});
	cr_assert_not_null(sh);
	for (int level = 4; level > 1; level--)
		*guest_word(TABLE(level)) = TABLE(level - 1) | RW;
}

static void end(void)
{
	shadow_destroy(sh);
	stage2_destroy(&s2);
	guest_mem_destroy(&mem);
	free(pool);
}

TestSuite(shadow_crossed, .fini = end);

static enum shadow_outcome touch(uint64_t gva, bool write)
{
	struct walk walk;

	return shadow_fault(sh, &counters, &view, gva_init(gva), (struct walk_access){.write = write}, &walk);
}

/* What the stub does. */
static void store_edits(void)
{
	for (unsigned i = 0; i < sh->nr_edits; i++)
		memcpy(pool + (maddr_raw(sh->edit[i].entry) - POOL_BASE), &sh->edit[i].value, 8);
	sh->nr_edits = 0;
}

static void audit(void)
{
	char text[512] = "";

	store_edits();
	cr_assert(shadow_audit(sh, text, sizeof(text)), "%s", text);
}

/* Where the CPU gets to for `gva`, with the entry's level; ~0 when it faults. */
static uint64_t translate(uint64_t gva, bool write, int *ret_level)
{
	const uint64_t *table;
	maddr_t root;
	bool built;

	cr_assert(shadow_root(sh, &counters, &view, &root, &built));
	table = (const uint64_t *)(void *)(pool + (maddr_raw(root) - POOL_BASE));
	for (int level = 4;; level--) {
		const uint64_t e = table[gva_index(gva_init(gva), level)], in_page = (1ull << (3 + 9 * level)) - 1;

		*ret_level = level;
		if (!(e & PTE_P) || (write && !(e & PTE_W)))
			return ~0ull;
		if (level == 1 || e & PTE_PS)
			return (e & PTE_ADDR & ~in_page) | (gva & in_page);
		table = (const uint64_t *)(void *)(pool + ((e & PTE_ADDR) - POOL_BASE));
	}
}

/* After a touch: the CPU comes to the frame of `gpa`. */
static int arrives(uint64_t gva, uint64_t gpa)
{
	int level;

	store_edits();
	cr_assert_eq(translate(gva, false, &level), cross(gpa), "gva %#llx", (unsigned long long)gva);
	return level;
}

/* Tables are read, and pages found, where the second stage says. */
Test(shadow_crossed, a_page)
{
	begin(SHADOW_OPT_ALL);
	guest_word(TABLE(1))[5] = 0x10000 | RW;
	cr_assert_eq(touch(5 * PAGE_SIZE, true), SHADOW_FILLED);
	arrives(5 * PAGE_SIZE + 0x123, 0x10123);
	audit();
}

/* A large guest page over frames in a row is one entry; over others it is 512, each to its own frame. */
Test(shadow_crossed, large_pages)
{
	begin(SHADOW_OPT_ALL);
	guest_word(TABLE(2))[1] = WHOLE | RW | PTE_PS;
	guest_word(TABLE(2))[2] = SHUFFLED | RW | PTE_PS;
	cr_assert_eq(touch(PAGE_2M, true), SHADOW_FILLED);
	cr_assert_eq(arrives(PAGE_2M + 0x5678, WHOLE + 0x5678), 2);
	for (uint64_t off = 0; off < PAGE_2M; off += PAGE_SIZE) {
		cr_assert_eq(touch(2 * PAGE_2M + off, true), SHADOW_FILLED);
		cr_assert_eq(arrives(2 * PAGE_2M + off, SHUFFLED + off), 1);
	}
	audit();
}

/* 512 pages in a row are promoted when their frames lie in a row, too. */
static void in_a_row(uint64_t from, int must)
{
	begin(SHADOW_OPT_ALL);
	for (uint64_t i = 0; i < 512; i++)
		guest_word(TABLE(1))[i] = (from + i * PAGE_SIZE) | RW;
	for (uint64_t i = 0; i < 512; i++)
		cr_assert_eq(touch(i * PAGE_SIZE, true), SHADOW_FILLED);
	for (uint64_t i = 0; i < 512; i++)
		cr_assert_eq(arrives(i * PAGE_SIZE, from + i * PAGE_SIZE), must);
	audit();
}

Test(shadow_crossed, frames_in_a_row_are_promoted)
{
	in_a_row(WHOLE, 2);
}

Test(shadow_crossed, frames_out_of_order_are_not)
{
	in_a_row(SHUFFLED, 1);
}

/* A page that becomes a table loses write access where its frame is mapped. */
static void becomes_a_table(unsigned opts)
{
	const uint64_t page = SHUFFLED + 6 * PAGE_SIZE, other = 3 * PAGE_2M;
	int level;

	begin(opts);
	guest_word(TABLE(1))[5] = page | RW;
	cr_assert_eq(touch(5 * PAGE_SIZE, true), SHADOW_FILLED);
	guest_word(page)[0] = 0x10000 | RW;
	*guest_word(TABLE(2) + 3 * 8) = page | RW;
	shadow_written(sh, &counters, gpa_init(TABLE(2) + 3 * 8), 8);
	cr_assert_eq(touch(other, false), SHADOW_FILLED);
	store_edits();
	cr_assert(shadow_is_tracked(sh, gpa_to_gfn(gpa_init(page))));
	cr_assert_not(shadow_is_tracked(sh, gpa_to_gfn(gpa_init(cross(page)))), "the frame's number is not the page's");
	cr_assert_eq(translate(5 * PAGE_SIZE, true, &level), ~0ull, "a table that the guest can write unseen");
	arrives(other, 0x10000);
	audit();
}

Test(shadow_crossed, a_page_becomes_a_table)
{
	becomes_a_table(SHADOW_OPT_ROOT_CACHE | SHADOW_OPT_EMULATE_UPDATE);
}

Test(shadow_crossed, a_page_becomes_a_table_without_options)
{
	becomes_a_table(0);
}

static uint64_t next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	return *state ^= *state << 17;
}

#define SPAN   (4 * PAGE_2M) /* of addresses that are used: tables at 0x10000 and up, one each 2 MiB */
#define LOW(i) (0x10000 + (i)*PAGE_SIZE)

/* Changes of leaf entries and touches in any order, as the guest would do them: each lands right, and the audit agrees.
 */
static void random_guest(unsigned opts)
{
	uint64_t random = 42;

	begin(opts);
	for (int i = 0; i < 4; i++)
		guest_word(TABLE(2))[i] = LOW(i) | RW;
	for (int step = 0; step < 3000; step++) {
		const uint64_t r = next_random(&random), gva = (r >> 8) % SPAN & PAGE_MASK;
		const uint64_t at = LOW(gva / PAGE_2M) + gva_index(gva_init(gva), 1) * 8;
		/* Any page, so now and then one of the tables. */
		const uint64_t page = (r >> 40) % (r & 16 ? MEMORY / PAGE_SIZE : 32) * PAGE_SIZE;
		const bool write = r & 1;
		int level;

		if (r & 2 && shadow_is_tracked(sh, gpa_to_gfn(gpa_init(at)))) {
			*guest_word(at) = page | (r & 4 ? RW : RW & ~(PTE_W | PTE_D));
			shadow_written(sh, &counters, gpa_init(at), 8);
		} else if (r & 2 && !sh->nr_unsync) {
			*guest_word(at) = page | RW;
		}
		shadow_flushed(sh, &counters, gpa_init(TABLES));
		if (touch(gva, write) == SHADOW_FILLED) {
			const uint64_t to = *guest_word(at) & PTE_ADDR;

			store_edits();
			/* A path that was built just now may have made a table of the very page: the next write is
			 * emulated. */
			if (write && shadow_is_tracked(sh, gpa_to_gfn(gpa_init(to))))
				cr_assert_eq(touch(gva, write), SHADOW_TRACKED_WRITE, "step %d", step);
			else
				cr_assert_eq(translate(gva, write, &level), cross(to), "step %d", step);
		}
		audit();
	}
	cr_assert_gt(counter_read(&counters, CTR_SHADOW_FILLS), 100);
}

Test(shadow_crossed, random_guest_without_options)
{
	random_guest(0);
}

Test(shadow_crossed, random_guest_with_edits)
{
	random_guest(SHADOW_OPT_ROOT_CACHE | SHADOW_OPT_EMULATE_UPDATE | SHADOW_OPT_PREFETCH);
}

Test(shadow_crossed, random_guest_with_all_options)
{
	random_guest(SHADOW_OPT_ALL);
}
