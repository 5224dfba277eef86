/* SPDX-License-Identifier: MIT */
/* The second stage over real guest memory, without KVM. */
#include <criterion/criterion.h>
#include <errno.h>
#include <gnomon/abi.h>

#include "stage2/stage2.h"

static struct guest_mem mem;
static struct stage2 s2;

static void begin(void)
{
	cr_assert_eq(guest_mem_init(&mem, 64 << 20, BACKING_4K), 0);
	cr_assert_eq(stage2_init(&s2, &mem), 0);
}

static void end(void)
{
	stage2_destroy(&s2);
	guest_mem_destroy(&mem);
}

TestSuite(stage2, .init = begin, .fini = end);

/* The tight walk against the engine's own. */
static void agrees(gpa_t gpa)
{
	struct pt_mapping slow;
	struct stage2_mapping fast = {0};
	const int r = pt_lookup(&s2.pt, gpa_raw(gpa), &slow);

	cr_assert_eq(stage2_lookup(&s2, gpa, &fast), r == 0);
	if (r == 0) {
		cr_assert_eq(maddr_raw(fast.maddr), slow.pa);
		cr_assert_eq(fast.level, slow.level);
		cr_assert_eq(fast.attrs, slow.attrs);
	}
}

static void unmap(uint64_t gpa, uint64_t size)
{
	struct pt_gather g = PT_GATHER_INIT;

	cr_assert_eq(stage2_unmap(&s2, gpa_init(gpa), size, &g), 0);
	pt_gather_finish(&s2.pt, &g);
}

/* Every byte of RAM is reached in 2 MiB leaves, and nothing beside it. */
Test(stage2, begins_with_all_ram)
{
	struct stage2_mapping m;

	for (uint64_t at = 0; at < mem.size; at += PAGE_SIZE) {
		cr_assert(stage2_lookup(&s2, gpa_init(at + 5), &m));
		cr_assert_eq(maddr_raw(m.maddr), at + 5);
		cr_assert_eq(m.level, 2);
	}
	cr_assert_not(stage2_lookup(&s2, gpa_init(mem.size), &m));
	cr_assert_not(stage2_lookup(&s2, gpa_init(~0ull), &m));
	cr_assert_not(stage2_lookup(&s2, gpa_init(1ull << 48), &m));
}

/* A pointer is given for what lies in a row, and for nothing that leaves RAM. */
Test(stage2, pointers_end_with_ram)
{
	uint8_t *base = stage2_ptr(&s2, gpa_init(0), mem.size);

	cr_assert_eq(base, mem.region[0].host);
	cr_assert_eq(stage2_ptr(&s2, gpa_init(PAGE_2M - 4), 8), base + PAGE_2M - 4);
	cr_assert_null(stage2_ptr(&s2, gpa_init(mem.size - 4), 8));
	cr_assert_null(stage2_ptr(&s2, gpa_init(0), 0));
	cr_assert_null(stage2_ptr(&s2, gpa_init(~0ull), 1));
}

/* A slice in the middle of a 2 MiB leaf goes; the 496 pages around it stay. */
Test(stage2, unmaps_a_slice_and_nothing_else)
{
	const uint64_t at = 6 * PAGE_2M, slice = at + 100 * PAGE_SIZE;
	struct stage2_mapping m;
	int kept = 0;

	unmap(slice, 16 * PAGE_SIZE);
	for (uint64_t p = at; p < at + PAGE_2M; p += PAGE_SIZE) {
		const bool gone = p >= slice && p < slice + 16 * PAGE_SIZE;

		agrees(gpa_init(p));
		cr_assert_eq(stage2_lookup(&s2, gpa_init(p), &m), !gone);
		kept += !gone;
	}
	cr_assert_eq(kept, 496);
	cr_assert_null(stage2_ptr(&s2, gpa_init(slice - 4), 8));
	cr_assert_not_null(stage2_ptr(&s2, gpa_init(slice - 8), 8));
	cr_assert_not_null(stage2_ptr(&s2, gpa_init(slice + 16 * PAGE_SIZE), 8));
}

/* What comes back is where it was; in one leaf when the whole 2 MiB are mapped again. */
Test(stage2, maps_again)
{
	struct pt_gather g = PT_GATHER_INIT;
	struct pt_violation v;
	struct stage2_mapping m;

	unmap(PAGE_2M + PAGE_SIZE, PAGE_SIZE);
	cr_assert_eq(stage2_map(&s2, gpa_init(PAGE_2M), PAGE_2M, &g), 0);
	pt_gather_finish(&s2.pt, &g);
	cr_assert(stage2_lookup(&s2, gpa_init(PAGE_2M + PAGE_SIZE), &m));
	cr_assert_eq(m.level, 2);
	cr_assert_eq(stage2_map(&s2, gpa_init(mem.size), PAGE_SIZE, &g), -EINVAL);
	cr_assert_eq(pt_audit(&s2.pt, &v), 0);
}

/* Random holes: the tight walk and the engine's never differ. */
Test(stage2, looks_up_as_the_engine_does)
{
	uint64_t seed = 1;

	for (int i = 0; i < 2000; i++) {
		uint64_t page;

		seed = seed * 6364136223846793005ull + 1442695040888963407ull;
		page = (seed >> 33) % (mem.size / PAGE_SIZE) * PAGE_SIZE;
		if (seed >> 63) {
			struct pt_gather g = PT_GATHER_INIT;

			cr_assert_eq(stage2_map(&s2, gpa_init(page), PAGE_SIZE, &g), 0);
			pt_gather_finish(&s2.pt, &g);
		} else {
			unmap(page, PAGE_SIZE);
		}
		agrees(gpa_init(page));
		agrees(gpa_init(page ^ PAGE_SIZE));
		agrees(gpa_init((seed >> 20) & 0xfffffff));
	}
}
