/* SPDX-License-Identifier: MIT */
/* A run that memory does not suffice for is refused before it begins, and not killed in its middle. */
#include <criterion/criterion.h>
#include <string.h>

#include "bench/workload/miss.h"

static struct host_info host = {.kvm = HOST_KVM_OK, .second_stage = HOST_STAGE_SOFTWARE_PVM};
static struct bench_plan plan = {.host = &host, .rounds = 1, .where = 7, .quick = true};
static struct miss_results results;

/* The reason of the case of pages that lie apart, where so much memory is free. */
static const char *reason_with(uint64_t bytes)
{
	host.memory_available = bytes;
	memset(&results, 0, sizeof(results));
	cr_assert_eq(miss_workload.begin(&results, &plan), 0);
	cr_assert_lt(miss_apart(&results), results.nr);
	return results.na[miss_apart(&results)];
}

/*
 * Pages that lie apart need tables of their own: 4096 pages of 16 MiB in all have 576 MiB of them. By the arena alone the
 * run was begun, and the kernel killed it.
 */
Test(bench_memory, tables_count)
{
	cr_expect(strstr(reason_with(500ull << 20), "MiB of memory, and the host has 500 MiB free"), "%s",
	          results.na[miss_apart(&results)]);
	miss_release(&results);
	cr_expect_str_eq(reason_with(4ull << 30), "");
	miss_release(&results);
}
