/* SPDX-License-Identifier: MIT */
/* When `--paging auto` changes the mode, and how it keeps from changing it to and fro. */
#include <criterion/criterion.h>
#include <string.h>

#include "paging/policy.h"

static const struct policy_window quiet = {.us = 500000, .looks = 10, .kernel = 1, .moved = 1, .refs_saved = 5};
static const struct policy_window calm = {.us = 500000, .traps = 100, .trap_us = 20};
/* 10 % of half a second is 2,500 traps at 20 us. */
static const struct policy_window trapping = {.us = 500000, .traps = 2501, .trap_us = 20};

/* How many windows like this it takes until it changes; 1000: it does not. */
static unsigned windows(struct policy *p, const struct policy_window *w)
{
	unsigned n = 1;

	while (n < 1000 && !policy_decide(p, w))
		n++;
	return n;
}

Test(policy, quiet_guest_goes_to_shadow)
{
	struct policy p;

	policy_init(&p, false);
	cr_assert_eq(windows(&p, &quiet), POLICY_PATIENCE);
	cr_assert(strstr(p.detail, "5 references less"), "%s", p.detail);
}

/* One busy window begins the wait anew, whether the kernel ran or the tables changed. */
Test(policy, busy_guest_stays)
{
	const struct policy_window in_kernel = {.us = 500000, .looks = 10, .kernel = 2, .refs_saved = 5};
	const struct policy_window moving = {.us = 500000, .looks = 10, .moved = 2, .refs_saved = 5};
	struct policy p;

	policy_init(&p, false);
	cr_assert_eq(windows(&p, &in_kernel), 1000);
	cr_assert_eq(windows(&p, &moving), 1000);
	for (int i = 0; i < 10; i++) {
		for (int j = 1; j < POLICY_PATIENCE; j++)
			cr_assert_null(policy_decide(&p, &quiet));
		cr_assert_null(policy_decide(&p, i % 2 ? &moving : &in_kernel));
	}
}

/* Where a walk is no shorter there is nothing to win. */
Test(policy, nothing_to_win)
{
	struct policy_window w = quiet;
	struct policy p;

	policy_init(&p, false);
	w.refs_saved = 0;
	cr_assert_eq(windows(&p, &w), 1000);
}

/* A guest whose vCPUs are all halted tells nothing: neither does it count as quiet, nor does it end a quiet time. */
Test(policy, halted_guest)
{
	const struct policy_window halted = {.us = 500000, .refs_saved = 5};
	struct policy p;

	policy_init(&p, false);
	cr_assert_eq(windows(&p, &halted), 1000);
	for (int j = 1; j < POLICY_PATIENCE; j++)
		cr_assert_null(policy_decide(&p, &quiet));
	cr_assert_null(policy_decide(&p, &halted));
	cr_assert_not_null(policy_decide(&p, &quiet));
}

Test(policy, traps_lead_back)
{
	struct policy p;

	policy_init(&p, true);
	cr_assert_eq(windows(&p, &calm), 1000);
	policy_changed(&p, false);
	policy_changed(&p, true);
	cr_assert_eq(windows(&p, &trapping), 1 + POLICY_BUSY_WINDOWS); /* it fills in the first */
	cr_assert(strstr(p.detail, "2501 traps of all vCPUs in 500 ms"), "%s", p.detail);
}

/* Nobody waits for the end of a window that is lost; one that ends early says what the whole would. */
Test(policy, certain_to_trap)
{
	struct policy_window w = trapping;
	struct policy p;

	policy_init(&p, true);
	cr_assert_not(policy_is_certain(&p, &w), "the shadow fills");
	cr_assert_null(policy_decide(&p, &w));
	w.us = 100000;
	w.traps--;
	cr_assert_not(policy_is_certain(&p, &w));
	w.traps++;
	cr_assert(policy_is_certain(&p, &w));
	cr_assert_not_null(policy_decide(&p, &w));
}

Test(policy, certain_to_be_busy)
{
	struct policy_window w = {.us = 100000, .looks = 2, .most_looks = 10, .kernel = 1, .moved = 1, .refs_saved = 5};
	struct policy p;

	policy_init(&p, false);
	cr_assert_not(policy_is_certain(&p, &w), "8 quiet looks may follow");
	w.moved = 2;
	cr_assert(policy_is_certain(&p, &w));
	for (int j = 1; j < POLICY_PATIENCE; j++)
		cr_assert_null(policy_decide(&p, &quiet));
	cr_assert_null(policy_decide(&p, &w));
	cr_assert_eq(p.quiet, 0);
}

/* Each return makes it wait twice as long before it tries again, up to a limit. */
Test(policy, patience_grows)
{
	unsigned want = POLICY_PATIENCE;
	struct policy p;

	policy_init(&p, false);
	for (int i = 0; i < 8; i++) {
		cr_assert_eq(windows(&p, &quiet), want);
		policy_changed(&p, true);
		cr_assert_eq(windows(&p, &trapping), 1 + POLICY_BUSY_WINDOWS);
		policy_changed(&p, false);
		want = want * 2 < POLICY_PATIENCE_MAX ? want * 2 : POLICY_PATIENCE_MAX;
	}
	cr_assert_eq(want, POLICY_PATIENCE_MAX);
}

/* A change that is refused is tried again later each time. */
Test(policy, refused_change_waits_longer)
{
	unsigned want = POLICY_PATIENCE;
	struct policy p;

	policy_init(&p, false);
	for (int i = 0; i < 8; i++) {
		cr_assert_eq(windows(&p, &quiet), want);
		policy_changed(&p, false);
		want = want * 2 < POLICY_PATIENCE_MAX ? want * 2 : POLICY_PATIENCE_MAX;
	}
	cr_assert_eq(want, POLICY_PATIENCE_MAX);
}
