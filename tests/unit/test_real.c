/* SPDX-License-Identifier: MIT */
/* What the real CPU gets in shadow mode: APM2 3.1, SDM vol. 3 2.5. */
#include <criterion/criterion.h>
#include <gnomon/x86.h>

#include "cpu/real.h"

/* What holds on each host, whatever the guest asks for: the stub runs, and a store to a table faults. */
static void expect_ours(struct real_control r)
{
	const uint64_t cr0 = CR0_PE | CR0_ET | CR0_WP | CR0_PG, cr4 = CR4_SMEP | CR4_SMAP | CR4_PCIDE | CR4_PGE;

	cr_assert_eq(r.cr0 & cr0, cr0);
	cr_assert_eq(r.cr4 & (CR4_PAE | cr4), CR4_PAE, "its programs' pages are not the real CPL 0's affair");
	cr_assert_eq(r.efer & (EFER_LMA | EFER_LME | EFER_NXE), EFER_LMA | EFER_LME | EFER_NXE);
}

Test(real, guests_bits_where_the_cpu_obeys)
{
	const struct cpu_state nothing = {0}, everything = {.cr0 = ~0ull, .cr4 = ~0ull, .efer = ~0ull};
	static const uint64_t cr0[] = {CR0_MP, CR0_EM, CR0_TS, CR0_NE, CR0_AM};
	static const uint64_t cr4[] = {CR4_TSD, CR4_DE, CR4_OSFXSR, CR4_OSXMMEXCPT, CR4_FSGSBASE};
	const struct real_control none = real_control(&nothing, true, false),
	                          all = real_control(&everything, true, false);

	expect_ours(none);
	expect_ours(all);
	for (unsigned i = 0; i < sizeof(cr0) / sizeof(*cr0); i++) {
		cr_assert(all.cr0 & cr0[i], "CR0 0x%llx", (unsigned long long)cr0[i]);
		cr_assert_not(none.cr0 & cr0[i], "CR0 0x%llx", (unsigned long long)cr0[i]);
	}
	for (unsigned i = 0; i < sizeof(cr4) / sizeof(*cr4); i++) {
		cr_assert(all.cr4 & cr4[i], "CR4 0x%llx", (unsigned long long)cr4[i]);
		cr_assert_not(none.cr4 & cr4[i], "CR4 0x%llx", (unsigned long long)cr4[i]);
	}
	cr_assert(all.efer & EFER_SCE);
	cr_assert_not(none.efer & EFER_SCE, "SYSCALL is #UD");
}

Test(real, the_stubs_where_it_does_not)
{
	const struct cpu_state nothing = {0}, everything = {.cr0 = ~0ull, .cr4 = ~0ull, .efer = ~0ull};
	const struct real_control none = real_control(&nothing, false, false),
	                          all = real_control(&everything, false, false);

	expect_ours(none);
	cr_assert_eq(none.cr0, all.cr0, "a change of the guest's costs nothing");
	cr_assert_eq(none.cr4, all.cr4);
	cr_assert_eq(none.efer, all.efer);
	cr_assert(none.efer & EFER_SCE, "a SYSCALL arrives");
}

Test(real, umip_where_there_is_one)
{
	const struct cpu_state cpu = {0};

	cr_assert(real_control(&cpu, true, true).cr4 & CR4_UMIP);
	cr_assert_not(real_control(&cpu, true, false).cr4 & CR4_UMIP, "VM entry fails");
}

Test(real, no_way_to_what_is_not_canonical)
{
	static const struct {
		uint64_t rip;
		bool can;
	} at[] = {{0, true},
	          {0x00007fffffffffff, true},
	          {0x0000800000000000, false},
	          {0xffff7fffffffffff, false},
	          {0xffff800000000000, true},
	          {UINT64_MAX, true}};

	for (unsigned i = 0; i < sizeof(at) / sizeof(*at); i++) {
		const struct cpu_state cpu = {.rip = at[i].rip, .gpr = {[GPR_RSP] = 0x0000800000000000}};

		cr_assert_eq(real_can_enter(&cpu), at[i].can, "0x%llx", (unsigned long long)at[i].rip);
	}
}
