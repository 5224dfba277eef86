/* SPDX-License-Identifier: MIT */
#include "shadow_run.h"

#include <criterion/criterion.h>
#include <string.h>

#include "../host_kind.h"

const char *const shadow_opts[] = {"all", "none", "all,lazy"};

size_t nr_shadow_opts(void)
{
	return on_bochs() ? 1 : on_tcg() ? 2 : sizeof(shadow_opts) / sizeof(*shadow_opts);
}

static struct run r;

void shadow_run(struct run *run, const char *opt, const char *behaviour, const char *cpus)
{
	run_gnomon(run, "run", "--paging", "shadow", "--shadow-opt", opt, "--audit", "--timeout", "300", "--cpus", cpus,
	           guest_path(behaviour));
}

void shadow_good(const char *behaviour, const char *cpus)
{
	for (size_t i = 0; i < nr_shadow_opts(); i++) {
		shadow_run(&r, shadow_opts[i], behaviour, cpus);
		expect_status(&r, 0);
	}
}

void shadow_killed(const char *behaviour, const char *cpus, const char *words)
{
	for (size_t i = 0; i < nr_shadow_opts(); i++) {
		shadow_run(&r, shadow_opts[i], behaviour, cpus);
		expect_killed(&r, words);
		cr_assert_null(strstr(r.err, "has not ended"), "only the time limit ended it");
	}
}

void good_in_both_modes(const char *behaviour, const char *cpus)
{
	run_gnomon(&r, "run", "--timeout", "60", "--cpus", cpus, guest_path(behaviour));
	expect_status(&r, 0);
	shadow_good(behaviour, cpus);
}

void good_and_nested_on_pvm(const char *behaviour)
{
	if (on_pvm())
		good_in_both_modes(behaviour, "1");
	else
		shadow_good(behaviour, "1");
}
