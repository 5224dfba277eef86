/* SPDX-License-Identifier: MIT */
#include "cpu/real.h"

#include <gnomon/addr.h>
#include <gnomon/x86.h>

/* What of the guest's CR0 and CR4 counts at CPL 3. Paging is the VMM's affair. */
#define CR0_AT_CPL3 (CR0_MP | CR0_EM | CR0_TS | CR0_NE | CR0_AM)
#define CR4_AT_CPL3 (CR4_TSD | CR4_DE | CR4_OSFXSR | CR4_OSXMMEXCPT | CR4_FSGSBASE)

struct real_control real_control(const struct cpu_state *cpu, bool obeyed, bool umip)
{
	struct real_control r = {
	    .cr0 = CR0_PE | CR0_ET | CR0_WP | CR0_PG,
	    .cr4 = CR4_PAE | (umip ? CR4_UMIP : 0),
	    .efer = EFER_LME | EFER_LMA | EFER_NXE,
	};

	if (obeyed) {
		r.cr0 |= cpu->cr0 & CR0_AT_CPL3;
		r.cr4 |= cpu->cr4 & CR4_AT_CPL3;
		r.efer |= cpu->efer & EFER_SCE;
	} else {
		r.cr0 |= CR0_MP | CR0_NE;
		r.cr4 |= CR4_OSFXSR | CR4_OSXMMEXCPT;
		r.efer |= EFER_SCE;
	}
	return r;
}

bool real_can_enter(const struct cpu_state *cpu)
{
	return gva_canonical(gva_init(cpu->rip)); /* of 48 bits: the real CR4 has no LA57 */
}
