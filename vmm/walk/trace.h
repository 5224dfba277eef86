/* SPDX-License-Identifier: MIT */
/*
 * A walk of the guest's tables, reference by reference, in the order in which a CPU with a second stage makes them. The
 * guest's entries lie at guest physical addresses, each of which the second stage translates first:
 *
 *             second stage        guest's entry
 *     row 4   1  2  3  4              5           gl4e
 *     row 3   6  7  8  9             10           gl3e
 *     row 2  11 12 13 14             15           gl2e
 *     row 1  16 17 18 19             20           gl1e
 *     row 0  21 22 23 24                          the data
 *
 * A large leaf, of either stage, leaves out what would be below it. The second stage is the VMM's own tree
 * (stage2/stage2.h). What KVM built for the CPU from it is not known here.
 *
 * Pure: no KVM. It writes nothing, neither A nor D. The guest's tables may be anything: it reads one entry a level.
 */
#ifndef GNOMON_WALK_TRACE_H
#define GNOMON_WALK_TRACE_H

#include "pgtable/path.h"
#include "walk/guest_walk.h"

/* Of the four rows, and of the data. */
#define TRACE_MAX (WALK_LEVELS * (PT_LEVELS_MAX + 1) + PT_LEVELS_MAX)

struct trace_ref {
	const struct pt_format *fmt; /* of the table: pt_x86_64 for the guest's */
	int row;                     /* level of the guest's entry that it is, or is read for; 0: the data */
	struct pt_step step; /* `at`: guest physical; in the second stage, an address that its tree's entries have */
};

struct trace {
	int nr;
	struct trace_ref ref[TRACE_MAX];
	struct walk walk; /* how the guest's tables end it */
	bool has_memory;  /* and the second stage has memory where they lead to: */
	maddr_t maddr;
};

/*
 * Walks `gva`. Nobody may change the second stage meanwhile. A table that an enclave's memory hides counts as outside, as
 * for guest_walk().
 */
void trace_walk(const struct stage2 *s2, const struct walk_mode *mode, gva_t gva, struct walk_access access,
                struct trace *ret_trace);

/* The same of other memory, with the second stage's tables, or NULL: then none of its references are told. */
void trace_walk_in(const struct walk_memory *guest, const struct pt_source *second, const struct walk_mode *mode,
                   gva_t gva, struct walk_access access, struct trace *ret_trace);

/* The second stage's tables as a source of entries. */
struct pt_source trace_second_stage(const struct stage2 *s2);

static inline bool trace_is_guest(const struct trace_ref *r)
{
	return r->fmt == &pt_x86_64;
}

#endif
