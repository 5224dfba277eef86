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

/* A guest's walk has two dimensions only where a module's parameter file said so. */
Test(bench_walk, words_of_hosts)
{
	static const enum host_second_stage software[] = {HOST_STAGE_SOFTWARE_PVM, HOST_STAGE_SOFTWARE_NPT0,
	                                                  HOST_STAGE_SOFTWARE_EPT0};
	struct host_info host = {0};

	for (size_t i = 0; i < sizeof(software) / sizeof(*software); i++) {
		host.second_stage = software[i];
		cr_assert_str_eq(bench_walk_words(&host, BENCH_NESTED), "1-D: KVM's shadow");
		cr_assert_str_eq(bench_walk_words(&host, BENCH_SHADOW), "1-D: KVM's shadow of shadow");
		cr_assert_str_eq(bench_walk_words(&host, BENCH_NATIVE), "1-D: process's tables");
	}
	host.second_stage = HOST_STAGE_EPT;
	cr_assert_str_eq(bench_walk_words(&host, BENCH_NESTED), "2-D: guest's tables x EPT");
	cr_assert_str_eq(bench_walk_words(&host, BENCH_NATIVE), "1-D: process's tables");
	host.second_stage = HOST_STAGE_NPT;
	cr_assert_str_eq(bench_walk_words(&host, BENCH_SHADOW), "2-D: shadow x NPT");
	host.second_stage = HOST_STAGE_UNKNOWN;
	cr_assert_str_eq(bench_walk_words(&host, BENCH_NESTED), "unknown");
}

/* With LA57 in use processes have five levels. */
Test(bench_walk, native)
{
	struct host_info host = {0};

	cr_assert_eq(bench_native_refs(&host, false), 4);
	cr_assert_eq(bench_native_refs(&host, true), 3);
	host.cpu_features = 1u << HOST_CPU_LA57;
	cr_assert_eq(bench_native_refs(&host, false), 5);
	cr_assert_eq(bench_native_refs(&host, true), 4);
}

/* An emulator has no times, and says which it is; a virtual machine has. */
Test(bench_walk, emulated_host)
{
	struct host_info host = {.emulator = HOST_EMULATOR_QEMU};

	cr_assert(strstr(bench_times_na(&host), "emulated by QEMU (TCG)"));
	host.emulator = HOST_EMULATOR_BOCHS;
	cr_assert(strstr(bench_times_na(&host), "emulated by Bochs"));
	host.emulated_times = true;
	cr_assert_null(bench_times_na(&host));
	host = (struct host_info){.in_vm = true, .hypervisor = "KVMKVMKVM"};
	cr_assert_null(bench_times_na(&host));
}
