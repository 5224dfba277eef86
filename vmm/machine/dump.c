/* SPDX-License-Identifier: MIT */
/*
 * dump-tables: page tables as lines, as pgtable/dump.c writes them. The guest makes its tables and may link them in
 * circles: so not more than MAX_TABLES are visited, and not more than MAX_LINES given.
 */
#include <stdio.h>

#include "machine/tables.h"
#include "pgtable/dump.h"

#define MAX_TABLES 100000
#define MAX_LINES  10000

struct dump {
	struct machine_tables tables; /* one vCPU's after the other */
	struct pt_foreign foreign;
	json_t *lines;
};

/* For stage2_dump, too, whose lines are of the same kind. */
static void put_line(void *ctx, const char *text)
{
	struct dump *d = ctx;

	if (json_array_size(d->lines) < MAX_LINES)
		json_array_append_new(d->lines, json_string(text));
	else
		d->foreign.cut = true;
}

static bool entry(void *ctx, uint64_t at, pte_t *ret_entry)
{
	const struct pt_source *s = &((struct dump *)ctx)->tables.source;

	return s->entry(s->ctx, at, ret_entry);
}

static void dump_root(struct dump *d)
{
	const struct pt_source *s = &d->tables.source;
	char text[64];

	snprintf(text, sizeof(text), "vCPU %d: root %016llx", d->tables.vcpu->id, (unsigned long long)s->root);
	put_line(d, text);
	d->foreign.fmt = s->fmt;
	pt_dump_foreign(&d->foreign, s->root);
}

static int dump_all(struct dump *d, struct vm *vm, enum machine_stage stage, struct control_error *err)
{
	int r = 0;

	if (stage == MACHINE_STAGE2)
		stage2_dump(&vm->stage2, put_line, d);
	for (int i = 0; stage != MACHINE_STAGE2 && r == 0 && i < vm->nr_vcpus; i++) {
		if (!vm->vcpu[i]->live)
			continue;
		r = machine_find_tables(vm->vcpu[i], stage, PAGING_VIEW_NOW, &d->tables, err);
		if (r == 0)
			dump_root(d);
	}
	return r;
}

json_t *machine_dump_tables(void *machine, const char *stage, struct control_error *err)
{
	struct machine *m = machine;
	struct dump d = {.foreign = {.entry = entry, .emit = put_line, .tables_left = MAX_TABLES}};
	int r;

	if (machine_begin_look(m, err) < 0)
		return NULL;
	d.foreign.ctx = &d;
	d.lines = json_array();
	r = dump_all(&d, m->vm, machine_stage(stage), err);
	machine_end_look(m);
	if (r < 0) {
		json_decref(d.lines);
		d.lines = NULL;
	} else if (d.foreign.cut) {
		json_array_append_new(d.lines, json_string("more was left out"));
	}
	return d.lines;
}
