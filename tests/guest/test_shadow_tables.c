/* SPDX-License-Identifier: MIT */
/*
 * Guest tables that change while CPUs use them: which translations may be old, and which may not. Each guest is right
 * in nested mode, too, where the CPU itself, or KVM, walks the tables.
 */
#include <criterion/criterion.h>
#include <stdio.h>

#include "../host_kind.h"
#include "shadow_run.h"

TestSuite(shadow_tables, .init = need_kvm);

#define NR(array) (sizeof(array) / sizeof(*(array)))

static void each_variant(const char *behaviour, const char *const *variant, size_t n, const char *cpus)
{
	char name[64];

	for (size_t i = 0; i < n; i++) {
		snprintf(name, sizeof(name), "%s-%s", behaviour, variant[i]);
		good_in_both_modes(name, cpus);
	}
}

/* A place where nothing was is in no TLB, whatever the table there held before it was linked. */
Test(shadow_tables, linked_anew)
{
	static const char *const variants[] = {"leaf",       "leaf-many",  "leaf-full", "leaf-full-many", "upper",
	                                       "upper-many", "upper-full", "top",       "top-many"};

	each_variant("shadow-table-linked-anew", variants, NR(variants), "1");
}

/* A CPU that goes on through tables whose shadow ended writes no table unseen. */
Test(shadow_tables, stale_root)
{
	static const char *const variants[] = {"4",   "3",     "2",     "1",           "many",  "4-many",
	                                       "all", "upper", "large", "large-upper", "kicked"};

	each_variant("shadow-stale-root", variants, NR(variants), "2");
}

/* Nobody is kept from getting on by what another CPU writes into tables. */
Test(shadow_tables, races)
{
	static const char *const variants[] = {"entry", "upper", "accessed"};

	each_variant("shadow-table-races", variants, NR(variants), "2");
}

/* A fault ends what a CPU knew of its address. QEMU's does not forget (docs/hosts.md), and judges nobody. */
Test(shadow_tables, fault_invalidates)
{
	if (on_tcg())
		shadow_good("shadow-fault-invalidates", "1");
	else
		good_in_both_modes("shadow-fault-invalidates", "1");
}

/* kvm_pvm ends a nested guest that has an entry of 1 GiB. */
Test(shadow_tables, in_a_huge_page)
{
	if (on_pvm())
		shadow_good("shadow-table-in-huge", "1");
	else
		good_in_both_modes("shadow-table-in-huge", "1");
}

/* Nor has a CPU that was just started a translation from before. */
Test(shadow_tables, started_cpu)
{
	good_in_both_modes("cpu-start-sees-tables", "2");
}
