/* SPDX-License-Identifier: MIT */
/* Recomposes every shadow entry from the guest's tables and compares: the oracle of all optimisations. */
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "shadow/internal.h"

/* The guest's entry that a shadow entry was made from; zero in a direct page, which has none. */
static uint64_t guest_entry(const struct shadow *sh, const struct shadow_page *p, unsigned i)
{
	const _Atomic uint64_t *e =
	    p->role.direct ? NULL : stage2_ptr(sh->s2, gpa_add(gfn_to_gpa(p->gfn), i * sizeof(*e)), sizeof(*e));

	return e ? atomic_load(e) : 0;
}

/* Appends one way from a root down to entry `i` of `p`, the innermost first: the guest's entry and ours. */
static void describe_walk(const struct shadow *sh, const struct shadow_page *p, unsigned i, char *text, size_t len)
{
	for (;;) {
		const size_t at = strlen(text);

		snprintf(text + at, len - at, "%s level %u: guest table 0x%llx[%u] = 0x%016llx, shadow 0x%016llx",
		         p->role.level == 1 ? "; walk:" : ",", p->role.level, (unsigned long long)p->gfn.raw, i,
		         (unsigned long long)guest_entry(sh, p, i), (unsigned long long)p->spte[i].raw);
		if (!p->parents)
			return;
		i = p->parents->index;
		p = p->parents->page;
	}
}

static bool differs(const struct shadow *sh, char *text, size_t len, const struct shadow_page *p, unsigned i,
                    const char *what, uint64_t is, uint64_t must)
{
	snprintf(text, len,
	         "%s: shadow of guest frame 0x%llx (level %u, %s view%s%s), entry %u: is 0x%016llx, must be 0x%016llx",
	         what, (unsigned long long)p->gfn.raw, p->role.level, p->role.user ? "user" : "kernel",
	         p->role.direct ? ", direct" : "", p->promoted ? ", promoted" : "", i, (unsigned long long)is,
	         (unsigned long long)must);
	describe_walk(sh, p, i, text, len);
	return false;
}

/* The guest may have written an unsync table since it flushed last, or just writes an open one. Any table, when lazy:
 * the audit of what a flush has brought up to date looks then (lazy.c). */
static bool may_lag(const struct shadow *sh, const struct shadow_page *p)
{
	const struct shadow_track *track = p->role.direct ? NULL : &sh->track[shadow_frame(sh, p->gfn)];

	return track && (track->unsync || track->open || sh->opts & SHADOW_OPT_LAZY);
}

static bool audit_page(const struct shadow *sh, const struct shadow_page *p, bool lags, char *text, size_t len)
{
	for (unsigned i = 0; i < 512; i++) {
		if (!p->live[i] && !p->spte[i].raw)
			continue;
		const uint64_t live = p->live[i], want = shadow_live_value(sh, p, i).raw;
		const uint64_t by_cpu = p->spte[i].raw & SPTE_WATCHED ? PTE_A : 0;
		spte_t must;

		if (p->role.level == 4 && live && !want)
			continue; /* the stub's slot */
		if ((live ^ want) & ~by_cpu)
			return differs(sh, text, len, p, i, "the CPU sees another entry than was set", live, want);
		if (!lags && !shadow_entry_stands(sh, p, i, &must))
			return differs(sh, text, len, p, i, "the guest's tables say otherwise", p->spte[i].raw,
			               must.raw);
	}
	return true;
}

/* No vCPU in the guest may know a way to write a tracked table, unsync ones excepted: its store would go unseen. */
static bool audit_protection(const struct shadow *sh, const struct shadow_page *p, char *text, size_t len)
{
	const uint64_t oldest = sh->ops->oldest_flush(sh->ctx);
	int64_t n;
	mfn_t mfn;
	int level;

	if (p->role.direct || !shadow_is_tracked(sh, p->gfn) || !shadow_gfn_to_mfn(sh, p->gfn, &mfn, &level))
		return true;
	n = shadow_machine_frame(sh, mfn);
	if (sh->unmapped[n] <= oldest && sh->unmapped_2m[n / 512] <= oldest)
		return true;
	snprintf(
	    text, len,
	    "a vCPU in the guest last flushed at %llu; guest table 0x%llx lost a writable mapping at %llu, or %llu",
	    (unsigned long long)oldest, (unsigned long long)p->gfn.raw, (unsigned long long)sh->unmapped[n],
	    (unsigned long long)sh->unmapped_2m[n / 512]);
	return false;
}

bool shadow_audit(const struct shadow *sh, char *ret_text, size_t len)
{
	BUG_ON(sh->nr_edits);
	for (const struct shadow_page *p = sh->oldest; p; p = p->newer)
		if (!audit_page(sh, p, may_lag(sh, p), ret_text, len) || !audit_protection(sh, p, ret_text, len))
			return false;
	return true;
}

/* False where the guest writes tables freely (lazy, unsync) and another vCPU executes guest code: it may do so right now. */
static bool tables_rest(const struct shadow *sh)
{
	return !(sh->opts & (SHADOW_OPT_LAZY | SHADOW_OPT_UNSYNC)) || sh->ops->oldest_flush(sh->ctx) == UINT64_MAX;
}

/* From the top down, by the entries: shadow_sync_below() goes up, by the links. */
static bool audit_tree(struct shadow *sh, struct shadow_page *top, char *ret_text, size_t len)
{
	spte_t must;

	if (top->audited == sh->audit_round) /* there may be 512 ways to it */
		return true;
	top->audited = sh->audit_round;
	for (unsigned i = 0; i < 512; i++) {
		const spte_t e = top->spte[i];

		if (!shadow_entry_stands(sh, top, i, &must))
			return differs(sh, ret_text, len, top, i,
			               "up to date or linked at a new place, the guest's tables say otherwise", e.raw,
			               must.raw);
		if (e.raw & PTE_P && !spte_is_leaf(top, e) && !audit_tree(sh, shadow_child(sh, e), ret_text, len))
			return false;
	}
	return true;
}

void shadow_audit_below(struct shadow *sh, struct shadow_page *top)
{
	char text[512];

	if (!sh->audited || !tables_rest(sh))
		return;
	sh->audit_round++;
	if (!audit_tree(sh, top, text, sizeof(text)))
		bug(__FILE__, __LINE__, text);
}
