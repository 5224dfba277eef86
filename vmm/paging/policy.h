/* SPDX-License-Identifier: MIT */
/*
 * When `--paging auto` changes the mode. docs/paging.md has the reasons for each number. Pure: machine/auto.c looks at
 * the guest and does what is decided here.
 *
 *   nested -> shadow   the guest was quiet for `patience` windows in a row, and a TLB miss would walk fewer references.
 *                      Quiet: in at most POLICY_BUSY_PERCENT of the looks at it, it was in its kernel, or had changed
 *                      its tables or CR3 since the look before.
 *   shadow -> nested   for POLICY_BUSY_WINDOWS in a row more than POLICY_TRAP_PERCENT of the time went into traps. The
 *                      first window does not count: the shadow is empty then, and fills. The patience doubles, up to
 *                      POLICY_PATIENCE_MAX, as it does when a change to shadow mode is refused.
 *
 * A window ends early when more of it cannot change what it says (policy_is_certain).
 */
#ifndef GNOMON_PAGING_POLICY_H
#define GNOMON_PAGING_POLICY_H

#include <stdbool.h>
#include <stdint.h>

#define POLICY_LOOK_MS          50
#define POLICY_LOOKS            10 /* make a window */
#define POLICY_WINDOW_US        (POLICY_LOOK_MS * POLICY_LOOKS * 1000ull)
#define POLICY_BUSY_PERCENT     10
#define POLICY_PATIENCE         2 /* windows */
#define POLICY_PATIENCE_MAX     32
#define POLICY_BUSY_WINDOWS     1
#define POLICY_TRAP_US_HARDWARE 5  /* with a second stage in hardware */
#define POLICY_TRAP_US_SOFTWARE 60 /* where KVM composes tables itself */
#define POLICY_TRAP_PERCENT     10

/* What was seen in one window. */
struct policy_window {
	uint64_t us;         /* how long it was */
	unsigned looks;      /* at vCPUs that were not halted */
	unsigned most_looks; /* that a whole window has */
	unsigned kernel;     /* of these, at CPL 0 */
	unsigned moved;      /* of these, with other tables than at the look before */
	uint64_t traps;      /* all vCPUs, in shadow mode */
	unsigned trap_us;    /* what one takes, POLICY_TRAP_US_HARDWARE or _SOFTWARE */
	int refs_saved;      /* references by which shadow mode's walks are shorter, an estimate */
};

struct policy {
	bool shadow;  /* the mode that runs */
	bool filling; /* it is shadow mode's first window */
	unsigned quiet, busy, patience;
	char detail[160]; /* the figures of the last decision, a sentence */
};

void policy_init(struct policy *p, bool shadow);

/* Why the other mode shall run from now on, a static text, with p->detail filled in; NULL: it shall not. */
const char *policy_decide(struct policy *p, const struct policy_window *w);

/*
 * True when a window that is not over is busy, or trapping, whatever comes: it may as well end. So neither a guest that
 * has just begun to trap nor one that has just become quiet waits for the end of a window that is already lost.
 */
bool policy_is_certain(const struct policy *p, const struct policy_window *so_far);

/* The mode is `shadow` now: what was decided is done, or refused, or came from elsewhere. */
void policy_changed(struct policy *p, bool shadow);

#endif
