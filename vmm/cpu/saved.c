/* SPDX-License-Identifier: MIT */
#include "cpu/saved.h"

#include <gnomon/addr.h>
#include <stddef.h>

#define RFLAGS_KNOWN 0x003f7fd7ull /* APM2 3.1.6 */

static bool is_canonical(uint64_t a)
{
	return gva_canonical(gva_init(a));
}

static bool addresses_are_canonical(const struct cpu_state *c)
{
	const struct cpu_msrs *m = &c->msrs;
	const uint64_t all[] = {c->rip,
	                        c->gdtr.base,
	                        c->idtr.base,
	                        c->seg[SEG_FS].base,
	                        c->seg[SEG_GS].base,
	                        c->seg[SEG_LDTR].base,
	                        c->seg[SEG_TR].base,
	                        m->lstar,
	                        m->cstar,
	                        m->kernel_gs_base,
	                        m->sysenter_esp,
	                        m->sysenter_eip};

	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
		if (!is_canonical(all[i]))
			return false;
	return true;
}

static bool has_long_mode(const struct cpu_state *c)
{
	return c->efer & EFER_LMA;
}

static const char *check_state(const struct cpu_state *c)
{
	if (c->rflags & ~RFLAGS_KNOWN || !(c->rflags & RFLAGS_FIXED))
		return "holds flags that no CPU has";
	if (c->cpl > 3)
		return "runs at a privilege level that no CPU has";
	if (has_long_mode(c) &&
	    (!(c->cr0 & CR0_PG) || !(c->cr0 & CR0_PE) || !(c->cr4 & CR4_PAE) || !(c->efer & EFER_LME)))
		return "is in long mode without what long mode needs";
	if (c->cr8 > 15)
		return "holds a task priority that no CPU has";
	if (c->dr[6] >> 32 || c->dr[7] >> 32)
		return "holds debug registers that no CPU has";
	if (has_long_mode(c) && !addresses_are_canonical(c))
		return "holds an address that is not canonical";
	for (enum segment n = 0; n < SEG_COUNT; n++)
		if (c->seg[n].attributes & ~SEG_ATTRIBUTES)
			return "holds a segment that no CPU has";
	return NULL;
}

const char *cpu_saved_check(const struct cpu_saved *cpu)
{
	if (cpu->power >= CPU_POWERS || cpu->fpu_kind >= CPU_FPU_KINDS || cpu->nr_extra > CPU_EXTRA_MAX)
		return "is in a state that this version does not know";
	if (cpu->vectors[0] & 0xffffffffull)
		return "waits for an interrupt below 32";
	return cpu->power == CPU_RUNS ? check_state(&cpu->state) : NULL;
}
