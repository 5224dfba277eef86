/* SPDX-License-Identifier: MIT */
/*
 * A walk of the guest's tables as JSON, wherever they are: what `walk` replies, and what `gnomon walk` shows of a file.
 */
#ifndef GNOMON_VIEW_WALK_H
#define GNOMON_VIEW_WALK_H

#include "control/ops.h"
#include "cpu/state.h"
#include "view/entry.h"
#include "walk/trace.h"

/* What is walked, by whom, and by which registers. */
struct view_walk {
	int cpu, cpl;
	uint64_t cr3;
	const char *paging; /* the mode */
	gva_t gva;
	struct walk_access access;
	struct walk_mode mode;
};

/*
 * What `wanted` asks of a vCPU in this state; its address is looked at by itself. `mode` has what the CPU can do, and
 * gets the rest. -ENOTSUP with *err: the vCPU does not use tables of four levels.
 */
int must_check view_walk_prepare(struct view_walk *w, const struct control_walk *wanted, const struct cpu_state *state,
                                 struct control_error *err);

/* The reply: who asks, the references of `t`, and how it ends. The caller adds what else is known. */
json_t *view_walk(const struct view_walk *w, const struct trace *t);

#endif
