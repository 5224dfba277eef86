/* SPDX-License-Identifier: MIT */
#include "stage2_machine.h"

#include <criterion/criterion.h>

struct guest_mem mem;
struct stage2 s2;
struct pt_gather g;

void make(uint64_t size)
{
	g = PT_GATHER_INIT;
	cr_assert_eq(guest_mem_init(&mem, size, BACKING_4K), 0);
	cr_assert_eq(stage2_init(&s2, &mem), 0);
}

void audit(void)
{
	struct pt_violation v = {.what = ""};

	cr_assert_eq(stage2_audit(&s2, &v), 0, "%s: gpa %#llx", v.what, (unsigned long long)v.va);
}

static void teardown(void)
{
	pt_gather_finish(&s2.pt, &g);
	audit();
	stage2_destroy(&s2);
	guest_mem_destroy(&mem);
}

TestSuite(stage2, .fini = teardown);

int level_at(uint64_t gpa)
{
	struct stage2_mapping m;
	struct pt_mapping oracle;
	const bool found = stage2_lookup(&s2, gpa_init(gpa), &m);
	const int r = pt_lookup(&s2.pt, gpa, &oracle);

	cr_assert_eq(found, r == 0, "%#llx: the engine says %d", (unsigned long long)gpa, r);
	if (!found)
		return 0;
	cr_assert(maddr_raw(m.maddr) == oracle.pa && m.level == oracle.level && m.attrs == oracle.attrs, "%#llx",
	          (unsigned long long)gpa);
	return m.level;
}

uint64_t maddr_of(uint64_t gpa)
{
	struct stage2_mapping m;

	cr_assert(stage2_lookup(&s2, gpa_init(gpa), &m), "%#llx", (unsigned long long)gpa);
	return maddr_raw(m.maddr);
}

void *ptr(uint64_t gpa, uint64_t len)
{
	return stage2_ptr(&s2, gpa_init(gpa), len);
}

unsigned pages_mapped(uint64_t gpa, uint64_t size)
{
	unsigned nr = 0;

	for (uint64_t at = gpa; at < gpa + size; at += PAGE_SIZE)
		nr += level_at(at) > 0;
	return nr;
}
