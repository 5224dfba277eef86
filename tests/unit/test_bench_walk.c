/* SPDX-License-Identifier: MIT */
/* The counts of references that every report prints, against the published ones, and which host gets which. */
#include <criterion/criterion.h>
#include <string.h>

#include "bench/environment.h"
#include "model/walk.h"

/* (Lg + 1)(Lh + 1) - 1. */
Test(bench_walk, two_dimensions)
{
	cr_assert_eq(walk_refs_1d(4), 4);
	cr_assert_eq(walk_refs_2d(4, 4), 24);
	cr_assert_eq(walk_refs_2d(3, 4), 19);
	cr_assert_eq(walk_refs_2d(4, 3), 19);
	cr_assert_eq(walk_refs_2d(3, 3), 15);
	cr_assert_eq(walk_refs_2d(5, 4), 29);
	cr_assert_eq(walk_refs_2d(5, 5), 35);
}

/* The enclave stage, checked once a host walk and at every access. */
Test(bench_walk, enclave_stage)
{
	cr_assert_eq(walk_refs_3d_once(4, 4, 0), 24);
	cr_assert_eq(walk_refs_3d_once(4, 4, 1), 29);
	cr_assert_eq(walk_refs_3d_once(4, 4, 2), 34);
	cr_assert_eq(walk_refs_3d_once(4, 4, 4), 44);
	cr_assert_eq(walk_refs_3d_every(4, 4, 0), 24);
	cr_assert_eq(walk_refs_3d_every(4, 4, 1), 49);
	cr_assert_eq(walk_refs_3d_every(4, 4, 2), 74);
	cr_assert_eq(walk_refs_3d_every(4, 4, 4), 124);
}

/* The closed form against the walk itself: each guest entry and the final address cost a host walk. */
Test(bench_walk, closed_form)
{
	for (int guest = 1; guest <= WALK_MAX_LEVELS; guest++)
		for (int host = 1; host <= WALK_MAX_LEVELS; host++) {
			unsigned refs = 0;

			for (int entry = 0; entry < guest; entry++)
				refs += host + 1;
			refs += host;
			cr_assert_eq(walk_refs_2d(guest, host), refs);
		}
}

static int refs(enum host_second_stage stage, enum bench_where where, bool huge, unsigned features)
{
	const struct host_info host = {.second_stage = stage, .cpu_features = features};
	struct bench_walk walk;

	bench_walk_describe(&host, where, huge, &walk);
	cr_assert_gt(strlen(walk.text), 0);
	return walk.refs;
}

/* A guest's walk has two dimensions only where a module's parameter file said so; design, section 2's table. */
Test(bench_walk, of_hosts)
{
	static const enum host_second_stage software[] = {HOST_STAGE_SOFTWARE_PVM, HOST_STAGE_SOFTWARE_NPT0,
	                                                  HOST_STAGE_SOFTWARE_EPT0};

	for (size_t i = 0; i < sizeof(software) / sizeof(*software); i++)
		for (enum bench_where where = BENCH_NATIVE; where < BENCH_NR_WHERE; where++) {
			cr_assert_eq(refs(software[i], where, false, 0), 4);
			/* Gnomon's shadow has 4 KiB leaves only. */
			cr_assert_eq(refs(software[i], where, true, 0), where == BENCH_SHADOW ? 4 : 3);
		}
	for (enum bench_where where = BENCH_NESTED; where < BENCH_NR_WHERE; where++) {
		cr_assert_eq(refs(HOST_STAGE_EPT, where, false, 0), 24);
		cr_assert_eq(refs(HOST_STAGE_NPT, where, false, 0), 24);
		cr_assert_eq(refs(HOST_STAGE_NPT, where, true, 0), where == BENCH_SHADOW ? 19 : 15);
		cr_assert_eq(refs(HOST_STAGE_UNKNOWN, where, false, 0), 0);
		cr_assert_eq(refs(HOST_STAGE_NONE, where, false, 0), 0);
	}
	cr_assert_eq(refs(HOST_STAGE_NPT, BENCH_NATIVE, false, 0), 4);
	cr_assert_eq(refs(HOST_STAGE_NONE, BENCH_NATIVE, true, 0), 3);
}

/* With LA57 in use, processes and NPT have five levels, EPT keeps four. */
Test(bench_walk, five_levels)
{
	const unsigned la57 = 1u << HOST_CPU_LA57;

	cr_assert_eq(refs(HOST_STAGE_NPT, BENCH_NATIVE, false, la57), 5);
	cr_assert_eq(refs(HOST_STAGE_NPT, BENCH_NESTED, false, la57), 29);
	cr_assert_eq(refs(HOST_STAGE_EPT, BENCH_NESTED, false, la57), 24);
}

/* An emulator has no times, and says which it is; a virtual machine has. */
Test(bench_walk, emulated_host)
{
	struct host_info host = {.emulator = HOST_EMULATOR_QEMU};

	cr_assert(strstr(bench_times_na(&host), "emulated by QEMU (TCG)"));
	host.emulator = HOST_EMULATOR_BOCHS;
	cr_assert(strstr(bench_times_na(&host), "emulated by Bochs"));
	host = (struct host_info){.in_vm = true, .hypervisor = "KVMKVMKVM"};
	cr_assert_null(bench_times_na(&host));
}
