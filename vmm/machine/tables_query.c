/* SPDX-License-Identifier: MIT */
/*
 * query-tables: page tables as trees, those of the guest with what they lie on in the second stage; of enclaves only
 * sizes.
 */
#include <string.h>

#include "machine/tables.h"
#include "view/trees.h"
#include "walk/trace.h"

#define MAX_PIECES 500000 /* of the second stage that are looked at while the VM stands still */

static int add_trees(struct view_trees *v, struct machine *m, enum machine_stage stage, int64_t cpu,
                     struct control_error *err)
{
	struct pt_source second = trace_second_stage(&m->vm->stage2);
	struct view_below below = {.piece = view_below_piece, .ctx = &second, .pieces_left = MAX_PIECES};
	struct view_below *const under = stage == MACHINE_GUEST ? &below : NULL;
	struct machine_tables t;
	struct vcpu *vcpu;
	int r = 0;

	if (stage == MACHINE_STAGE2 || cpu >= 0) {
		r = machine_vcpu(m, cpu < 0 ? 0 : cpu, &vcpu, err);
		if (r == 0)
			r = machine_find_tables(vcpu, stage, PAGING_VIEW_NOW, &t, err);
		if (r == 0)
			view_trees_add(v, &t.source, stage == MACHINE_STAGE2 ? -1 : vcpu->id, under);
		return r;
	}
	for (int i = 0; r == 0 && i < m->vm->nr_vcpus; i++) {
		if (!m->vm->vcpu[i]->live)
			continue;
		r = machine_find_tables(m->vm->vcpu[i], stage, PAGING_VIEW_NOW, &t, err);
		if (r == 0)
			view_trees_add(v, &t.source, i, under);
	}
	return r;
}

json_t *machine_tables(void *machine, const struct control_tables *wanted, struct control_error *err)
{
	struct machine *m = machine;
	struct view_trees v;
	const char *mode = "";
	int r;

	if (strcmp(wanted->stage, "enclave") == 0)
		return machine_enclave_tables(m, wanted, err);
	if (view_trees_init(&v, wanted, err) < 0)
		return NULL;
	r = machine_begin_look(m, err);
	if (r == 0) {
		mode = m->vm->paging->name;
		r = add_trees(&v, m, machine_stage(wanted->stage), wanted->cpu, err);
		machine_end_look(m);
	}
	if (r == 0)
		return view_trees_reply(&v, wanted->stage, mode);
	view_trees_drop(&v);
	return NULL;
}
