/* SPDX-License-Identifier: MIT */
/*
 * dump-tables: page tables as lines, as pgtable/dump.c writes them. The guest makes its tables and may link them in
 * circles: so not more than MAX_TABLES are visited, and not more than MAX_LINES given.
 */
#include <errno.h>
#include <gnomon/x86.h>
#include <stdio.h>
#include <string.h>

#include "machine/machine.h"
#include "vm/vcpu.h"
#include "pgtable/dump.h"

#define MAX_TABLES 100000
#define MAX_LINES  10000

struct dump {
	struct vm *vm;
	struct vcpu *vcpu;
	struct paging_tables tables;
	struct pt_foreign foreign; /* `tables`, one vCPU's after the other */
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
	const struct dump *d = ctx;

	return d->tables.entry(d->vcpu, at, &ret_entry->raw);
}

static void dump_root(struct dump *d)
{
	char text[64];

	snprintf(text, sizeof(text), "vCPU %d: root %016llx", d->vcpu->id, (unsigned long long)d->tables.root);
	put_line(d, text);
	d->foreign.fmt = d->tables.levels == 5 ? &pt_x86_64_la57 : &pt_x86_64;
	pt_dump_foreign(&d->foreign, d->tables.root);
}

/* The vCPU is out of the guest. -errno with *err. */
static int dump_guest(struct dump *d, struct control_error *err)
{
	struct cpu_state state;
	const int r = d->vcpu->vm->paging->get_state(d->vcpu, &state);

	if (r < 0)
		return control_fail(err, -r, "vCPU %d does not tell its registers", d->vcpu->id);
	d->tables = (struct paging_tables){
	    .root = state.cr3 & PTE_ADDR, .levels = state.cr4 & CR4_LA57 ? 5 : 4, .entry = vcpu_guest_entry};
	dump_root(d);
	return 0;
}

/* What the CPU walks in place of the guest's tables. */
static int dump_shadow(struct dump *d, struct control_error *err)
{
	if (d->vcpu->vm->paging->tables(d->vcpu, false, &d->tables) && d->tables.size) {
		dump_root(d);
		return 0;
	}
	return control_fail(err, ENOTSUP, "%s paging has no shadow tables", d->vcpu->vm->paging->name);
}

enum stage {
	STAGE_GUEST,
	STAGE_2,
	STAGE_SHADOW,
};

static int dump_all(struct dump *d, enum stage stage, struct control_error *err)
{
	struct vm *vm = d->vm;
	int r = 0;

	/* A vCPU that is held up by a device keeps the lock for as long as that takes. */
	if (pthread_mutex_trylock(&vm->paging_lock) != 0)
		return control_fail(err, EBUSY, "a vCPU is held up by a device: does anybody read the console?");
	if (stage == STAGE_2)
		stage2_dump(&vm->stage2, put_line, d);
	for (int i = 0; stage != STAGE_2 && r == 0 && i < vm->nr_vcpus; i++) {
		d->vcpu = vm->vcpu[i];
		if (d->vcpu->live)
			r = stage == STAGE_SHADOW ? dump_shadow(d, err) : dump_guest(d, err);
	}
	pthread_mutex_unlock(&vm->paging_lock);
	return r;
}

json_t *machine_dump_tables(void *machine, const char *stage, struct control_error *err)
{
	struct machine *m = machine;
	const enum stage which = strcmp(stage, "shadow") == 0   ? STAGE_SHADOW
	                         : strcmp(stage, "stage2") == 0 ? STAGE_2
	                                                        : STAGE_GUEST;
	struct dump d = {.vm = m->vm, .foreign = {.entry = entry, .emit = put_line, .tables_left = MAX_TABLES}};
	int r;

	if (machine_pause(m, err) < 0)
		return NULL;
	d.foreign.ctx = &d;
	d.lines = json_array();
	pthread_mutex_lock(&m->vm->reclaim_lock); /* the balloon's thread works on while the vCPUs are kept out */
	r = dump_all(&d, which, err);
	pthread_mutex_unlock(&m->vm->reclaim_lock);
	if (r < 0) {
		json_decref(d.lines);
		d.lines = NULL;
	} else if (d.foreign.cut) {
		json_array_append_new(d.lines, json_string("more was left out"));
	}
	vm_resume(m->vm);
	return d.lines;
}
