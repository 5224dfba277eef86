/* SPDX-License-Identifier: MIT */
/* Several designs over the same addresses: whatever threads there are, each does what it does alone. */
#include <criterion/criterion.h>
#include <criterion/redirect.h>
#include <errno.h>
#include <string.h>

#include "model/design/catalogue.h"
#include "model/run.h"

#define LANES 5

TestSuite(model_run);

static const char *const designs[LANES] = {"radix4", "radix5", "radix4/radix4", "linear", "sv39"};

static struct mmu_shape small(void)
{
	static const char text[] = "tlb1 = 4k 16 4\ntlb2 = 4k 64 4\npwc = guest+host 2+3+4 16 16\nnested = 8 8\n"
	                           "cache = 32K 8 4\ncache = 256K 8 12\nmemory.cycles = 200\n";
	struct mmu_shape shape;

	cr_assert_eq(shape_parse("test", text, sizeof(text) - 1, &shape), 0);
	return shape;
}

static void make(struct run_lane *lane)
{
	const struct mmu_shape shape = small();
	const struct model_config config = MODEL_CONFIG_DEFAULT;
	char why[MODEL_WHY_MAX];

	memset(lane, 0, LANES * sizeof(*lane));
	for (int i = 0; i < LANES; i++) {
		cr_assert_eq(model_design_parse(designs[i], &config, &lane[i].walker, why), 0, "%s", why);
		lane[i].mmu = model_mmu_new(&shape);
	}
}

static void drop(struct run_lane *lane)
{
	for (int i = 0; i < LANES; i++) {
		walker_destroy(lane[i].walker);
		model_mmu_free(lane[i].mmu);
		run_lane_end(&lane[i]);
	}
}

static int run(struct run_lane *lane, struct run_plan plan, enum model_pattern pattern, uint64_t base)
{
	int r;

	cr_assert_eq(model_source_generate(pattern, base, 4ull << 20, 3, &plan.source), 0);
	plan.page_shift = 12;
	r = model_run(&plan, lane, LANES);
	model_source_destroy(plan.source);
	return r;
}

Test(model_run, threads_change_nothing)
{
	struct run_lane alone[LANES], together[LANES];

	make(alone);
	make(together);
	cr_assert_eq(run(alone, (struct run_plan){.accesses = 50000, .warm = 5000}, MODEL_UNIFORM, 1 << 30), 0);
	cr_assert_eq(
	    run(together, (struct run_plan){.accesses = 50000, .warm = 5000, .threads = 7}, MODEL_UNIFORM, 1 << 30), 0);
	for (int i = 0; i < LANES; i++) {
		cr_assert_eq(memcmp(model_mmu_counts(alone[i].mmu), model_mmu_counts(together[i].mmu),
		                    sizeof(struct mmu_counts)),
		             0, "%s", designs[i]);
		cr_assert_eq(model_mmu_counts(alone[i].mmu)->accesses, 50000);
		cr_assert_eq(model_mmu_lines(alone[i].mmu), model_mmu_lines(together[i].mmu));
		cr_assert_gt(model_mmu_lines(alone[i].mmu), 0);
	}
	drop(alone);
	drop(together);
}

/* The accesses that do not count end anywhere, at a batch's end and beside it. */
Test(model_run, warm_accesses_do_not_count)
{
	static const uint64_t warm[] = {0, 1, RUN_BATCH - 1, RUN_BATCH, RUN_BATCH + 1, 2 * RUN_BATCH};

	for (size_t i = 0; i < sizeof(warm) / sizeof(*warm); i++) {
		struct run_lane lane[LANES];

		make(lane);
		cr_assert_eq(run(lane, (struct run_plan){.accesses = 1000, .warm = warm[i]}, MODEL_STRIDE, 1 << 30), 0);
		for (int l = 0; l < LANES; l++)
			cr_assert_eq(model_mmu_counts(lane[l].mmu)->accesses, 1000, "%s, %llu", designs[l],
			             (unsigned long long)warm[i]);
		drop(lane);
	}
}

static bool end_after_three(void *ctx, uint64_t done)
{
	return ++*(int *)ctx == 3;
}

Test(model_run, ended_in_the_middle_keeps_what_was_done)
{
	struct run_lane lane[LANES];
	int asked = 0;

	make(lane);
	cr_assert_eq(run(lane,
	                 (struct run_plan){.accesses = 1000000, .threads = 2, .ask = end_after_three, .ctx = &asked},
	                 MODEL_UNIFORM, 1 << 30),
	             -EINTR);
	for (int i = 0; i < LANES; i++)
		cr_assert_eq(model_mmu_counts(lane[i].mmu)->accesses, 3 * RUN_BATCH);
	drop(lane);
}

/* Sv39 has no such address. The others go on. */
Test(model_run, design_that_cannot_map_stops_alone)
{
	struct run_lane lane[LANES];

	make(lane);
	cr_assert_eq(run(lane, (struct run_plan){.accesses = 10000, .threads = 1}, MODEL_SEQUENTIAL, 1ull << 46), 0);
	for (int i = 0; i < LANES; i++) {
		const bool reaches = strcmp(designs[i], "sv39") != 0;

		cr_assert_eq(lane[i].error, reaches ? 0 : -EINVAL, "%s: %d", designs[i], lane[i].error);
		cr_assert_eq(model_mmu_counts(lane[i].mmu)->accesses, reaches ? 10000 : 0);
	}
	cr_assert_eq(lane[4].error_at, 1ull << 46);
	drop(lane);
}

/* Every lane unmaps the same pages, which come back when they are touched, in the frames that were theirs. */
Test(model_run, churn)
{
	const struct run_plan plan = {.accesses = 100000, .churn = 64};
	struct run_lane lane[LANES];
	static struct model_walk walk;
	struct model_usage usage;
	uint64_t removes = 0;

	make(lane);
	cr_assert_eq(run(lane, plan, MODEL_UNIFORM, 1 << 30), 0);
	for (int i = 0; i < LANES; i++) {
		walker_usage(lane[i].walker, &usage);
		cr_expect_eq(lane[i].error, 0, "%s", designs[i]);
		removes = removes ? removes : usage.removes;
		cr_expect(usage.removes == removes && removes > 1000, "%s: %lu", designs[i], usage.removes);
		cr_expect_eq(usage.inserts, usage.pages + usage.removes, "%s", designs[i]);
		cr_expect_leq(usage.pages + lane[i].freed.nr, 1024u, "%s: it took new frames", designs[i]);
		cr_expect_eq(model_mmu_counts(lane[i].mmu)->accesses, 100000u);
	}
	cr_assert_eq(walker_map(lane[0].walker, 1ull << 33, 1 << 12, 12, PT_RWX), 0);
	walker_walk(lane[0].walker, 1ull << 33, &walk);
	model_mmu_walk(lane[0].mmu, 1ull << 33, &walk);
	cr_expect(model_mmu_hit(lane[0].mmu, (1ull << 33) + 8));
	model_mmu_flush(lane[0].mmu, 1ull << 33, 12);
	cr_expect_not(model_mmu_hit(lane[0].mmu, (1ull << 33) + 8), "its page is in no TLB");
	drop(lane);
}

/* What is fetched before a walk changes nothing but the time: a run without it counts the same. */
Test(model_run, fetching_changes_nothing)
{
	static const char *const text[LANES] = {"radix4", "radix4/radix4", "shadow", "flat:18+18/sv48",
	                                        "linear/radix4"};
	const struct run_plan plan = {.accesses = 400000, .churn = 32, .page_shift = 12};
	const struct mmu_shape shape = small();
	struct model_config config = MODEL_CONFIG_DEFAULT;
	struct run_lane fetching[LANES] = {0}, plain[LANES] = {0};
	struct walker_ops ops[LANES];
	struct model_usage usage;
	char why[MODEL_WHY_MAX];

	config.data = 4ull << 30;
	for (int i = 0; i < LANES; i++) {
		cr_assert_eq(model_design_parse(text[i], &config, &fetching[i].walker, why), 0, "%s", why);
		cr_assert_eq(model_design_parse(text[i], &config, &plain[i].walker, why), 0, "%s", why);
		ops[i] = *plain[i].walker->ops;
		ops[i].ahead = NULL;
		plain[i].walker->ops = &ops[i];
		fetching[i].mmu = model_mmu_new(&shape);
		plain[i].mmu = model_mmu_new(&shape);
	}
	for (int n = 0; n < 2; n++) {
		struct run_plan p = plan;

		cr_assert_eq(model_source_generate(MODEL_UNIFORM, 1 << 30, 1ull << 30, 3, &p.source), 0);
		cr_assert_eq(model_run(&p, n ? fetching : plain, LANES), 0);
		model_source_destroy(p.source);
	}
	for (int i = 0; i < LANES; i++) {
		walker_usage(fetching[i].walker, &usage);
		cr_expect(usage.table_bytes > 1 << 20 && usage.removes > 1000, "%s", text[i]);
		cr_expect_eq(memcmp(model_mmu_counts(fetching[i].mmu), model_mmu_counts(plain[i].mmu),
		                    sizeof(struct mmu_counts)),
		             0, "%s", text[i]);
	}
	drop(fetching);
	drop(plain);
}
