/* SPDX-License-Identifier: MIT */
/*
 * The third stage. What is protected here, at each of its depths: a frame has one owner or none, what was assigned is
 * what is found, nothing is found beside it; and its memory is what it says.
 */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <errno.h>

#include "enclave/stage.h"

#define FRAMES 5000

ParameterizedTestParameters(enclave_stage, each_frame_has_one_owner)
{
	static int levels[] = {1, 2, 4};

	return cr_make_param_array(int, levels, 3);
}

ParameterizedTest(int *levels, enclave_stage, each_frame_has_one_owner)
{
	struct enclave_stage s3;
	struct enclave_frame f;

	cr_assert_eq(enclave_stage_init(&s3, FRAMES, *levels), 0);
	for (uint64_t n = 0; n < FRAMES; n += 3) {
		const struct enclave_frame give = {
		    .owner = 1 + n % 64, .rights = n % 2 ? PT_R | PT_X : 0, .may_appear = n % 2 ? n << 20 : 0};

		cr_assert_eq(enclave_stage_assign(&s3, maddr_init(n * PAGE_SIZE), 1, &give), 0);
		cr_assert_eq(enclave_stage_assign(&s3, maddr_init(n * PAGE_SIZE), 1, &give), -EEXIST);
	}
	for (uint64_t n = 0; n < FRAMES; n++) {
		cr_assert_eq(enclave_stage_lookup(&s3, maddr_init(n * PAGE_SIZE + n % PAGE_SIZE), &f), n % 3 == 0);
		if (n % 3)
			continue;
		cr_assert_eq(f.owner, 1 + n % 64);
		cr_assert_eq(f.rights, n % 2 ? PT_R | PT_X : 0);
		cr_assert_eq(f.may_appear, n % 2 ? n << 20 : 0);
	}
	cr_assert_not(enclave_stage_lookup(&s3, maddr_init(FRAMES * PAGE_SIZE), &f));
	cr_assert_not(enclave_stage_lookup(&s3, maddr_init(~0ull), &f));
	for (uint64_t n = 0; n < FRAMES; n += 3)
		enclave_stage_release(&s3, maddr_init(n * PAGE_SIZE), PAGE_SIZE);
	for (uint64_t n = 0; n < FRAMES; n++)
		cr_assert_not(enclave_stage_lookup(&s3, maddr_init(n * PAGE_SIZE), &f));
	cr_assert_eq(s3.pt.leaves[1], 0);
	enclave_stage_destroy(&s3);
}

/* A check reads as many entries as there are levels, and the tree has no more tables than that takes. */
Test(enclave_stage, size)
{
	static const struct {
		int levels;
		uint64_t bytes; /* with each of 5000 frames assigned: 10 tables of 512 */
	} cases[] = {{1, 8192 * 8}, {2, 512 * 8 + 10 * 4096}, {4, 3 * 4096 + 10 * 4096}};

	for (size_t i = 0; i < 3; i++) {
		struct enclave_stage s3;

		cr_assert_eq(enclave_stage_init(&s3, FRAMES, cases[i].levels), 0);
		for (uint64_t n = 0; n < FRAMES; n++)
			cr_assert_eq(enclave_stage_assign(&s3, maddr_init(n * PAGE_SIZE), 1,
			                                  &(struct enclave_frame){.owner = 1}),
			             0);
		cr_expect_eq(enclave_stage_bytes(&s3), cases[i].bytes, "%d levels: %llu", cases[i].levels,
		             (unsigned long long)enclave_stage_bytes(&s3));
		cr_expect_eq(s3.pt.leaves[1], FRAMES);
		enclave_stage_destroy(&s3);
	}
}

Test(enclave_stage, depths_that_there_are)
{
	struct enclave_stage s3;

	for (int levels = -1; levels <= 6; levels++) {
		const bool good = levels == 1 || levels == 2 || levels == 4;

		cr_expect_eq(enclave_stage_init(&s3, 1, levels), good ? 0 : -EINVAL);
		if (good)
			enclave_stage_destroy(&s3);
	}
	cr_expect_eq(enclave_stage_init(&s3, 0, 4), -EINVAL);
}

/* Frames in a row go together, each with an address of its own; or none does, if one of them has an owner. */
Test(enclave_stage, gives_frames_in_a_row)
{
	struct enclave_stage s3;
	struct enclave_frame frame = {.owner = 2, .rights = PT_R, .may_appear = 0x50000}, there;

	cr_assert_eq(enclave_stage_init(&s3, 64, 2), 0);
	cr_assert_eq(enclave_stage_assign(&s3, maddr_init(9 * PAGE_SIZE), 1, &(struct enclave_frame){.owner = 1}), 0);
	cr_expect_eq(enclave_stage_assign(&s3, maddr_init(5 * PAGE_SIZE), 5, &frame), -EEXIST);
	cr_expect_not(enclave_stage_lookup(&s3, maddr_init(5 * PAGE_SIZE), &there));
	cr_expect_eq(enclave_stage_assign(&s3, maddr_init(5 * PAGE_SIZE), 4, &frame), 0);
	for (uint64_t n = 0; n < 4; n++) {
		cr_assert(enclave_stage_lookup(&s3, maddr_init((5 + n) * PAGE_SIZE), &there));
		cr_expect_eq(there.owner, 2);
		cr_expect_eq(there.may_appear, 0x50000 + n * PAGE_SIZE);
	}
	enclave_stage_destroy(&s3);
}
