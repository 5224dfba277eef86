/* SPDX-License-Identifier: MIT */
#include "walk/rule.h"

#include <stdio.h>

#define BIT_PS 7
#define BIT_G  8
#define BIT_NX 63

const char *const walk_rule_name[RULE_NR] = {
    [RULE_KEPT] = "none",       [RULE_CANONICAL] = "canonical", [RULE_OUTSIDE] = "table-outside",
    [RULE_PRESENT] = "present", [RULE_RESERVED] = "reserved",   [RULE_USER] = "user",
    [RULE_WRITE] = "write",     [RULE_EXECUTE] = "nx",          [RULE_SMEP] = "smep",
    [RULE_SMAP] = "smap",
};

/* The first entry on the way in which `bit` is `set`. */
static int first_level(const struct walk *w, uint64_t bit, bool set)
{
	for (int level = WALK_LEVELS; level > w->level; level--)
		if (!!(w->gpte[level].raw & bit) == set)
			return level;
	return w->level;
}

/* walk_permits() says no: why. */
static struct walk_rule denial(const struct walk_mode *mode, struct walk_access a, const struct walk *w)
{
	if (a.user && !w->u)
		return (struct walk_rule){.kind = RULE_USER, .level = first_level(w, PTE_U, false)};
	if (a.fetch && !w->x)
		return (struct walk_rule){.kind = RULE_EXECUTE, .level = first_level(w, PTE_NX, true)};
	if (!a.user && a.fetch)
		return (struct walk_rule){.kind = RULE_SMEP};
	if (!a.user && w->u && mode->smap && !a.ac)
		return (struct walk_rule){.kind = RULE_SMAP};
	return (struct walk_rule){.kind = RULE_WRITE, .level = first_level(w, PTE_W, false)};
}

struct walk_rule walk_broken_rule(const struct walk_mode *mode, struct walk_access a, const struct walk *w)
{
	switch (w->outcome) {
	case WALK_OK:
		return (struct walk_rule){.kind = RULE_KEPT};
	case WALK_NOT_PRESENT:
		return (struct walk_rule){.kind = RULE_PRESENT, .level = w->level};
	case WALK_RESERVED:
		return (struct walk_rule){
		    .kind = RULE_RESERVED,
		    .level = w->level,
		    .bit =
		        63 - __builtin_clzll(w->gpte[w->level].raw & gpte_reserved(mode, w->gpte[w->level], w->level))};
	case WALK_NON_CANONICAL:
		return (struct walk_rule){.kind = RULE_CANONICAL};
	case WALK_TABLE_OUTSIDE:
		return (struct walk_rule){.kind = RULE_OUTSIDE, .level = w->level};
	case WALK_DENIED:
	case WALK_NR:
		break;
	}
	return denial(mode, a, w);
}

static const char *why_reserved(const struct walk_mode *mode, const struct walk_rule *r)
{
	if (r->bit == BIT_NX)
		return "EFER.NXE is 0, so no entry may say NX";
	if (r->bit >= mode->maxphyaddr)
		return "this CPU has no such bit of a physical address";
	if (r->bit == BIT_G && r->level == 4)
		return "CPUs of AMD want no G there";
	if (r->bit == BIT_PS)
		return r->level == 4 ? "no page is that large" : "there are no pages of 1 GiB here";
	return "a large page begins at a multiple of its size";
}

void walk_rule_sentence(const struct walk_mode *mode, struct walk_access a, const struct walk *w,
                        char ret_text[WALK_SENTENCE])
{
	const struct walk_rule r = walk_broken_rule(mode, a, w);
	const char *also = a.user ? "" : ", and CR0.WP is 1, which binds the kernel, too";

	switch (r.kind) {
	case RULE_CANONICAL:
		snprintf(ret_text, WALK_SENTENCE,
		         "The address is not canonical: bits 63 to 47 are not all alike. The CPU reads no table.");
		return;
	case RULE_OUTSIDE:
		snprintf(ret_text, WALK_SENTENCE, "The table of level %d, at 0x%llx, lies outside the guest's memory.",
		         r.level, (unsigned long long)gpa_raw(w->outside));
		return;
	case RULE_PRESENT:
		snprintf(ret_text, WALK_SENTENCE, "The entry at level %d is not present: P is 0.", r.level);
		return;
	case RULE_RESERVED:
		snprintf(ret_text, WALK_SENTENCE, "Bit %d of the entry at level %d is reserved: %s.", r.bit, r.level,
		         why_reserved(mode, &r));
		return;
	case RULE_USER:
		snprintf(ret_text, WALK_SENTENCE, "U is 0 in the entry at level %d: the page is the kernel's alone.",
		         r.level);
		return;
	case RULE_WRITE:
		snprintf(ret_text, WALK_SENTENCE, "W is 0 in the entry at level %d%s.", r.level, also);
		return;
	case RULE_EXECUTE:
		snprintf(ret_text, WALK_SENTENCE, "NX is 1 in the entry at level %d: nothing is executed there.",
		         r.level);
		return;
	case RULE_SMEP:
		snprintf(ret_text, WALK_SENTENCE,
		         "CR4.SMEP is 1: the kernel does not execute a program's page, and U is 1 at every level.");
		return;
	case RULE_SMAP:
		snprintf(
		    ret_text, WALK_SENTENCE,
		    "CR4.SMAP is 1 and RFLAGS.AC is 0: the kernel does not touch a program's page, and U is 1 at every "
		    "level.");
		return;
	case RULE_KEPT:
	case RULE_NR:
		break;
	}
	snprintf(ret_text, WALK_SENTENCE, "The guest's tables allow it.");
}
