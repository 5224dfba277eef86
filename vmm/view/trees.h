/* SPDX-License-Identifier: MIT */
/*
 * Page tables as trees of nodes (pgtable/fold.h), as JSON: what `query-tables` replies, and what `gnomon tables` shows
 * of a file. A tree is a list of nodes in the order of addresses: what stands below a node follows it, at lower levels.
 */
#ifndef GNOMON_VIEW_TREES_H
#define GNOMON_VIEW_TREES_H

#include "control/ops.h"
#include "view/below.h"
#include "view/entry.h"

struct view_trees {
	json_t *trees;
	unsigned nodes_left, tables_left;
	bool cut; /* something was left out */
	const char *address;
	uint64_t at; /* `address` */
};

/* -EINVAL with *err: the address that is asked for is none. Else view_trees_reply() or view_trees_drop() ends it. */
int must_check view_trees_init(struct view_trees *v, const struct control_tables *wanted, struct control_error *err);

/*
 * Adds the tree, or vCPU `cpu` to a tree with this root that is there already; negative: it is no vCPU's. With `below`,
 * which may be NULL, each node tells what it lies on.
 */
void view_trees_add(struct view_trees *v, const struct pt_source *source, int cpu, struct view_below *below);

json_t *view_trees_reply(struct view_trees *v, const char *stage, const char *mode);
void view_trees_drop(struct view_trees *v);

#endif
