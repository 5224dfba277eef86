/* SPDX-License-Identifier: MIT */
#include "paging/policy.h"

#include <stdio.h>

void policy_init(struct policy *p, bool shadow)
{
	*p = (struct policy){.shadow = shadow, .filling = shadow, .patience = POLICY_PATIENCE};
}

/* A look may find both. */
static unsigned busy_looks(const struct policy_window *w)
{
	return w->kernel > w->moved ? w->kernel : w->moved;
}

static const char *decide_in_nested(struct policy *p, const struct policy_window *w)
{
	if (!w->looks) /* all are halted: nobody knows, and nobody waits */
		return NULL;
	p->quiet = busy_looks(w) * 100 <= w->looks * POLICY_BUSY_PERCENT ? p->quiet + 1 : 0;
	if (p->quiet < p->patience || w->refs_saved <= 0)
		return NULL;
	snprintf(
	    p->detail, sizeof(p->detail),
	    "quiet for %u windows of %llu ms (at %u of %u looks in its kernel, %u with changed tables); a TLB miss "
	    "walks %d reference%s less",
	    p->quiet, (unsigned long long)w->us / 1000, w->kernel, w->looks, w->moved, w->refs_saved,
	    w->refs_saved == 1 ? "" : "s");
	return "policy: the guest leaves its tables alone";
}

static const char *decide_in_shadow(struct policy *p, const struct policy_window *w)
{
	if (p->filling) {
		p->filling = false;
		return NULL;
	}
	p->busy = w->traps * w->trap_us * 100 > w->us * POLICY_TRAP_PERCENT ? p->busy + 1 : 0;
	if (p->busy < POLICY_BUSY_WINDOWS)
		return NULL;
	snprintf(p->detail, sizeof(p->detail), "%llu traps of all vCPUs in %llu ms, %u us each",
	         (unsigned long long)w->traps, (unsigned long long)w->us / 1000, w->trap_us);
	return "policy: the guest traps too often";
}

const char *policy_decide(struct policy *p, const struct policy_window *w)
{
	return p->shadow ? decide_in_shadow(p, w) : decide_in_nested(p, w);
}

bool policy_is_certain(const struct policy *p, const struct policy_window *so_far)
{
	if (p->shadow)
		return !p->filling && so_far->traps * so_far->trap_us * 100 > POLICY_WINDOW_US * POLICY_TRAP_PERCENT;
	return busy_looks(so_far) * 100 > so_far->most_looks * POLICY_BUSY_PERCENT;
}

void policy_changed(struct policy *p, bool shadow)
{
	/* The guest went back, or nothing came of it: shadow mode has to be worth a longer wait. */
	if (!shadow)
		p->patience = p->patience * 2 < POLICY_PATIENCE_MAX ? p->patience * 2 : POLICY_PATIENCE_MAX;
	if (p->shadow != shadow)
		p->shadow = p->filling = shadow;
	p->quiet = p->busy = 0;
}
