/* SPDX-License-Identifier: MIT */
/* Recomposes every shadow entry from the guest's tables and compares: the oracle of all optimisations. */
#include <stdarg.h>
#include <stdio.h>

#include "shadow/shadow.h"

static bool differs(char *text, size_t len, const struct shadow_page *p, unsigned i, const char *what, uint64_t is,
		    uint64_t must)
{
	snprintf(text, len,
		 "%s: shadow of guest frame 0x%llx (level %u, %s view%s), entry %u: is 0x%016llx, must be 0x%016llx", what,
		 (unsigned long long)p->gfn.raw, p->role.level, p->role.user ? "user" : "kernel",
		 p->role.direct ? ", direct" : "", i, (unsigned long long)is, (unsigned long long)must);
	return false;
}

static bool audit_page(const struct shadow *sh, const struct shadow_page *p, char *text, size_t len)
{
	for (unsigned i = 0; i < 512; i++) {
		const uint64_t spte = p->spte[i].raw, live = p->live[i];
		uint64_t must;

		if (p->role.level == 4 && live && !spte)
			continue; /* the stub's slot */
		if (live != spte)
			return differs(text, len, p, i, "the CPU sees another entry than was set", live, spte);
		if (!spte)
			continue;
		must = shadow_recompose(sh, p, i).raw;
		/* Less write access than the guest gives is no error: its frame was a table once, and the next write
		 * faults and is granted. */
		if (spte != must && (spte | PTE_W) != must && spte != shadow_recompose_clean(sh, p, i).raw)
			return differs(text, len, p, i, "the guest's tables say otherwise", spte, must);
	}
	return true;
}

bool shadow_audit(const struct shadow *sh, char *ret_text, size_t len)
{
	BUG_ON(sh->nr_edits);
	for (unsigned b = 0; b < SHADOW_BUCKETS; b++)
		for (const struct shadow_page *p = sh->bucket[b]; p; p = p->hash_next)
			if (!audit_page(sh, p, ret_text, len))
				return false;
	return true;
}
