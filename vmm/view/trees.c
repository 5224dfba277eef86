/* SPDX-License-Identifier: MIT */
/*
 * The guest may link its tables in circles: so not more than MAX_TABLES are visited, and not more than MAX_NODES given.
 */
#include "view/trees.h"

#include <errno.h>
#include <gnomon/addr.h>

#include "pgtable/fold.h"

#define MAX_TABLES 20000
#define MAX_NODES  10000

int view_trees_init(struct view_trees *v, const struct control_tables *wanted, struct control_error *err)
{
	*v = (struct view_trees){.nodes_left = MAX_NODES, .tables_left = MAX_TABLES, .address = wanted->address};
	if (wanted->address && view_parse_address("address", wanted->address, &v->at, err) < 0)
		return -EINVAL;
	if (wanted->address && !gva_canonical(gva_init(v->at)))
		return control_fail(err, EINVAL, "Address 0x%llx is not canonical: no 4-level table translates it",
		                    (unsigned long long)v->at);
	v->trees = json_array();
	return 0;
}

struct tree {
	struct view_trees *v;
	struct view_below *below;
	json_t *nodes;
};

static void add_below(const struct tree *t, const struct pt_format *fmt, const struct pt_node *n, json_t *node)
{
	const uint64_t bytes = n->leaf ? n->nr * pt_span(fmt, n->step.level) : PAGE_SIZE;
	json_t *sums = t->below ? view_below(t->below, n->to, bytes) : NULL;

	if (sums)
		json_object_set_new(node, "below", sums);
	else if (t->below)
		t->v->cut = true;
}

static bool add_node(void *ctx, const struct pt_fold *f, const struct pt_node *n)
{
	const struct pt_format *fmt = f->visit.source.fmt;
	const struct tree *t = ctx;
	json_t *node;

	if (t->v->nodes_left == 0)
		return false;
	t->v->nodes_left--;
	node = json_pack("{s:i, s:i, s:i, s:o, s:o, s:o, s:o, s:o, s:o, s:b}", "level", n->step.level, "index",
	                 (int)n->index, "entries", (int)n->nr, "first", view_hex(n->first), "last", view_hex(n->last),
	                 "at", view_hex(n->step.at), "entry", view_hex(pte_raw(n->step.entry)), "flags",
	                 view_flags(fmt, n->step.entry, n->step.level), "to", view_hex(n->to), "leaf", n->leaf);
	add_below(t, fmt, n, node);
	json_array_append_new(t->nodes, node);
	return true;
}

/* True: a tree with this root is there; it is this vCPU's, too. */
static bool join_tree(const struct view_trees *v, uint64_t root, int cpu)
{
	json_t *hex = view_hex(root), *tree;
	bool found = false;
	size_t i;

	json_array_foreach (v->trees, i, tree)
		if (json_equal(json_object_get(tree, "root"), hex)) {
			json_array_append_new(json_object_get(tree, "cpus"), json_integer(cpu));
			found = true;
		}
	json_decref(hex);
	return found;
}

void view_trees_add(struct view_trees *v, const struct pt_source *source, int cpu, struct view_below *below)
{
	const struct pt_format *fmt = source->fmt;
	struct tree t = {.v = v, .below = below};
	struct pt_fold f = {.node = add_node,
	                    .ctx = &t,
	                    .visit = {.source = *source, .last = UINT64_MAX, .tables_left = v->tables_left}};

	if (join_tree(v, source->root, cpu))
		return;
	if (v->address)
		f.visit.first = f.visit.last = pt_linear(fmt, v->at);
	t.nodes = json_array();
	pt_fold_foreign(&f);
	v->tables_left = f.visit.tables_left;
	v->cut |= f.visit.cut;
	json_array_append_new(v->trees,
	                      json_pack("{s:o, s:s, s:i, s:o, s:o}", "root", view_hex(source->root), "format",
	                                fmt->name, "levels", fmt->levels, "cpus", json_array(), "nodes", t.nodes));
	if (cpu >= 0)
		(void)join_tree(v, source->root, cpu);
}

json_t *view_trees_reply(struct view_trees *v, const char *stage, const char *mode)
{
	json_t *trees = v->trees;

	v->trees = NULL;
	return json_pack("{s:s, s:s, s:o, s:b}", "stage", stage, "mode", mode, "trees", trees, "cut", v->cut);
}

void view_trees_drop(struct view_trees *v)
{
	json_decref(v->trees);
	v->trees = NULL;
}
