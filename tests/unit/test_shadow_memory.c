/* SPDX-License-Identifier: MIT */
/*
 * The shadow on a host that has no memory: calloc and realloc fail, for good or once. The shadow drops what it has,
 * tells its caller, and works again as soon as there is memory.
 */
#include <criterion/criterion.h>
#include <gnomon/x86.h>
#include <stdlib.h>
#include <string.h>

#include "shadow_alone.h"

#define MEMORY     (4ull << 20)
#define POOL_PAGES 64
#define POOL_BASE  0xe0000000
#define TABLES     0x1000 /* level 4; the others follow */
#define TABLE(l)   (TABLES + PAGE_SIZE * (4 - (l)))
#define PAGE       0x200000
#define RW         (PTE_P | PTE_W | PTE_U | PTE_A | PTE_D)
#define NEVER      (-1)

void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t size);

static struct guest_mem mem;
static struct stage2 s2;
static struct shadow *sh;
static struct counters counters;
static uint8_t *pool;
static int calls, first_failure = NEVER, last_failure;
static const struct shadow_view view = {.walk = {.cr3 = {TABLES}, .wp = true, .nxe = true, .maxphyaddr = 40}};

static bool fails(void)
{
	const int n = calls++;

	return first_failure != NEVER && n >= first_failure && n <= last_failure;
}

void *__wrap_calloc(size_t n, size_t size)
{
	return fails() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *p, size_t size)
{
	return fails() ? NULL : __real_realloc(p, size);
}

/* Counts calls from here on: those from `first` to `last` fail. */
static void fail(int first, int last)
{
	calls = 0;
	first_failure = first;
	last_failure = last;
}

static int forget(void *ctx)
{
	return 0;
}

static const struct shadow_ops ops = {
    .quiesce = alone_quiesce, .oldest_flush = alone_oldest_flush, .recycle_pool = forget};

static struct shadow *create(void)
{
	return shadow_create(&(struct shadow_params){
	    .s2 = &s2,
	    .pool = pool,
	    .pool_base = maddr_init(POOL_BASE),
	    .nr_frames = POOL_PAGES,
	    .maxphyaddr = view.walk.maxphyaddr,
	    .opts = SHADOW_OPT_ALL & ~SHADOW_OPT_LARGE,
	    .ops = &ops,
	});
}

static uint64_t *guest_table(int level)
{
	return guest_mem_ptr(&mem, maddr_init(TABLE(level)), PAGE_SIZE);
}

static void set_up(void)
{
	cr_assert_eq(guest_mem_init(&mem, MEMORY, BACKING_4K), 0);
	cr_assert_eq(stage2_init(&s2, &mem), 0);
	pool = aligned_alloc(PAGE_SIZE, POOL_PAGES * PAGE_SIZE);
	cr_assert_not_null(pool);
	memset(pool, 0, POOL_PAGES * PAGE_SIZE);
	for (int level = 4; level > 1; level--)
		guest_table(level)[0] = TABLE(level - 1) | RW;
	for (int i = 0; i < 512; i++)
		guest_table(1)[i] = (PAGE + i * PAGE_SIZE) | RW;
	sh = create();
	cr_assert_not_null(sh);
}

static void tear_down(void)
{
	fail(NEVER, 0);
	shadow_destroy(sh);
	stage2_destroy(&s2);
	guest_mem_destroy(&mem);
	free(pool);
}

TestSuite(shadow_memory, .init = set_up, .fini = tear_down);

static enum shadow_outcome touch(void)
{
	struct walk walk;

	return shadow_fault(sh, &counters, &view, gva_init(0), (struct walk_access){0}, &walk);
}

/* The stub stores all edits; then nothing in the shadow may be other than the guest's tables say. */
static void check(void)
{
	char text[512] = "";

	for (unsigned i = 0; i < shadow_nr_edits(sh); i++) {
		const struct shadow_edit *e = &shadow_edits(sh)[i];

		memcpy(pool + (maddr_raw(e->entry) - POOL_BASE), &e->value, sizeof(uint64_t));
	}
	shadow_edits_stored(sh, shadow_nr_edits(sh));
	cr_assert(shadow_audit(sh, text, sizeof(text)), "%s", text);
}

Test(shadow_memory, none_at_the_start_is_told)
{
	struct shadow *other = NULL;
	int n = 0;

	for (; !other; n++) {
		fail(n, n);
		other = create();
	}
	cr_assert_gt(n, 9);
	shadow_destroy(other);
}

Test(shadow_memory, none_for_links_is_told)
{
	fail(0, INT32_MAX);
	cr_assert_eq(touch(), SHADOW_NO_MEMORY);
	cr_assert_eq(counter_read(&counters, CTR_SHADOW_PAGES_IN_USE), 0);
	check();
	fail(NEVER, 0);
	cr_assert_eq(touch(), SHADOW_FILLED);
	check();
}

/* One call fails, for links or for the edit that promotes the page: everything is dropped, and built again. */
Test(shadow_memory, none_for_a_moment_costs_a_drop)
{
	for (int n = 0; n < 3; n++) {
		const uint64_t drops = counter_read(&counters, CTR_SHADOW_DROPS);

		fail(n, n);
		cr_assert_eq(touch(), SHADOW_FILLED);
		cr_assert_eq(counter_read(&counters, CTR_SHADOW_DROPS), drops + 1);
		check();
		shadow_destroy(sh);
		memset(pool, 0, POOL_PAGES * PAGE_SIZE);
		fail(NEVER, 0);
		sh = create();
	}
}

/* An edit that cannot be queued is no edit: what it would have changed goes with everything else. */
Test(shadow_memory, none_for_an_edit_costs_a_drop)
{
	guest_table(1)[1] = 0; /* else the page is promoted, which is an edit already */
	cr_assert_eq(touch(), SHADOW_FILLED);
	fail(0, INT32_MAX);
	guest_table(1)[0] = 0;
	shadow_written(sh, &counters, gpa_init(TABLE(1)), 8);
	cr_assert_eq(counter_read(&counters, CTR_SHADOW_DROPS), 1);
	cr_assert_eq(counter_read(&counters, CTR_SHADOW_PAGES_IN_USE), 0);
	cr_assert_eq(shadow_nr_edits(sh), 0);
	check();
}
