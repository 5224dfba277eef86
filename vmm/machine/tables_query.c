/* SPDX-License-Identifier: MIT */
/*
 * query-tables: page tables as trees of nodes (pgtable/fold.h), a list of them in the order of addresses: what stands
 * below a node follows it, at lower levels. The guest may link its tables in circles: so not more than MAX_TABLES are
 * visited, and not more than MAX_NODES given.
 */
#include <errno.h>

#include "machine/tables.h"
#include "pgtable/fold.h"

#define MAX_TABLES 20000
#define MAX_NODES  10000

struct query {
	json_t *trees, *nodes; /* `nodes`: of the tree that is being made */
	unsigned nodes_left, tables_left;
	bool cut;
	const char *address;
	gva_t at;
};

static bool add_node(void *ctx, const struct pt_fold *f, const struct pt_node *n)
{
	const struct pt_format *fmt = f->visit.source.fmt;
	struct query *q = ctx;

	if (q->nodes_left == 0)
		return false;
	q->nodes_left--;
	json_array_append_new(q->nodes, json_pack("{s:i, s:i, s:i, s:o, s:o, s:o, s:o, s:o, s:o, s:b}", "level",
	                                          n->step.level, "index", (int)n->index, "entries", (int)n->nr, "first",
	                                          machine_hex(n->first), "last", machine_hex(n->last), "at",
	                                          machine_hex(n->step.at), "entry", machine_hex(pte_raw(n->step.entry)),
	                                          "flags", machine_flags(fmt, n->step.entry, n->step.level), "to",
	                                          machine_hex(n->to), "leaf", n->leaf));
	return true;
}

/* True: a tree with this root is there; it is this vCPU's, too. */
static bool join_tree(const struct query *q, uint64_t root, int cpu)
{
	json_t *hex = machine_hex(root), *tree;
	bool found = false;
	size_t i;

	json_array_foreach (q->trees, i, tree)
		if (json_equal(json_object_get(tree, "root"), hex)) {
			json_array_append_new(json_object_get(tree, "cpus"), json_integer(cpu));
			found = true;
		}
	json_decref(hex);
	return found;
}

static void add_tree(struct query *q, const struct machine_tables *t, int cpu)
{
	const struct pt_format *fmt = t->source.fmt;
	struct pt_fold f = {.node = add_node,
	                    .ctx = q,
	                    .visit = {.source = t->source, .last = UINT64_MAX, .tables_left = q->tables_left}};

	if (join_tree(q, t->source.root, cpu))
		return;
	if (q->address)
		f.visit.first = f.visit.last = pt_linear(fmt, gva_raw(q->at));
	q->nodes = json_array();
	pt_fold_foreign(&f);
	q->tables_left = f.visit.tables_left;
	q->cut |= f.visit.cut;
	json_array_append_new(q->trees,
	                      json_pack("{s:o, s:s, s:i, s:o, s:o}", "root", machine_hex(t->source.root), "format",
	                                fmt->name, "levels", fmt->levels, "cpus", json_array(), "nodes", q->nodes));
	if (cpu >= 0)
		(void)join_tree(q, t->source.root, cpu);
}

static int add_trees(struct query *q, struct machine *m, enum machine_stage stage, int64_t cpu,
                     struct control_error *err)
{
	struct machine_tables t;
	struct vcpu *vcpu;
	int r = 0;

	if (stage == MACHINE_STAGE2 || cpu >= 0) {
		r = machine_vcpu(m, cpu < 0 ? 0 : cpu, &vcpu, err);
		if (r == 0)
			r = machine_find_tables(vcpu, stage, PAGING_VIEW_NOW, &t, err);
		if (r == 0)
			add_tree(q, &t, stage == MACHINE_STAGE2 ? -1 : vcpu->id);
		return r;
	}
	for (int i = 0; r == 0 && i < m->vm->nr_vcpus; i++) {
		if (!m->vm->vcpu[i]->live)
			continue;
		r = machine_find_tables(m->vm->vcpu[i], stage, PAGING_VIEW_NOW, &t, err);
		if (r == 0)
			add_tree(q, &t, i);
	}
	return r;
}

json_t *machine_tables(void *machine, const struct control_tables *wanted, struct control_error *err)
{
	struct query q = {.nodes_left = MAX_NODES, .tables_left = MAX_TABLES, .address = wanted->address};
	struct machine *m = machine;
	uint64_t at = 0;
	const char *mode;
	int r;

	if (wanted->address && machine_parse_address("address", wanted->address, &at, err) < 0)
		return NULL;
	q.at = gva_init(at);
	if (machine_begin_look(m, err) < 0)
		return NULL;
	mode = m->vm->paging->name;
	q.trees = json_array();
	r = add_trees(&q, m, machine_stage(wanted->stage), wanted->cpu, err);
	machine_end_look(m);
	if (r < 0) {
		json_decref(q.trees);
		return NULL;
	}
	return json_pack("{s:s, s:s, s:o, s:b}", "stage", wanted->stage, "mode", mode, "trees", q.trees, "cut", q.cut);
}
