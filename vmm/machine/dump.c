/* SPDX-License-Identifier: MIT */
/*
 * dump-tables: page tables as lines, a line per run of contiguous pages of one size with one set of rights:
 *
 *     0000000000200000-00000000005fffff -> 0000000000200000 rw-ad 2M
 *     first            last                address          rights page size
 *
 * The guest makes its tables and may link them in circles: so not more than MAX_TABLES are visited, and not more
 * than MAX_LINES given.
 */
#include <errno.h>
#include <gnomon/x86.h>
#include <stdio.h>
#include <string.h>

#include "machine/machine.h"
#include "vm/vcpu.h"
#include "pgtable/format.h"

#define MAX_TABLES 100000
#define MAX_LINES  10000

struct dump {
	const struct pt_format *fmt;
	/* The entry at an address; false outside memory. */
	bool (*entry)(struct vcpu *vcpu, uint64_t at, uint64_t *ret_entry);
	struct vm *vm;
	struct vcpu *vcpu;
	json_t *lines;
	unsigned tables;
	bool cut;
	int level; /* of the run that is pending; 0: none */
	uint64_t first, last, to;
	pt_attrs_t attrs;
};

static void put_line(struct dump *d, const char *text)
{
	if (json_array_size(d->lines) < MAX_LINES)
		json_array_append_new(d->lines, json_string(text));
	else
		d->cut = true;
}

/* For stage2_dump, whose lines are of the same kind. */
static void put_line_of(void *d, const char *text)
{
	put_line(d, text);
}

static void end_run(struct dump *d)
{
	static const char *const size[] = {"", "4K", "2M", "1G", "512G", "256T"};
	static const struct {
		pt_attrs_t bit;
		char letter;
	} rights[] = {{PT_R, 'r'}, {PT_W, 'w'}, {PT_X, 'x'}, {PT_U, 'u'}, {PT_A, 'a'}, {PT_D, 'd'}, {PT_G, 'g'}};
	char letters[sizeof(rights) / sizeof(*rights) + 1] = "", text[128];

	if (!d->level)
		return;
	for (size_t i = 0; i < sizeof(rights) / sizeof(*rights); i++)
		letters[i] = d->attrs & rights[i].bit ? rights[i].letter : '-';
	snprintf(text, sizeof(text), "%016llx-%016llx -> %016llx %s %s", (unsigned long long)d->first,
	         (unsigned long long)d->last, (unsigned long long)d->to, letters, size[d->level]);
	put_line(d, text);
	d->level = 0;
}

static void put_leaf(struct dump *d, uint64_t va, int level, pte_t entry)
{
	const uint64_t span = 1ull << (12 + 9 * (level - 1)), to = d->fmt->address(entry, level);
	const pt_attrs_t attrs = d->fmt->get_attrs(entry, level);

	if (d->level == level && d->attrs == attrs && d->last + 1 == va && d->to + (va - d->first) == to) {
		d->last += span;
		return;
	}
	end_run(d);
	d->level = level;
	d->first = va;
	d->last = va + span - 1;
	d->to = to;
	d->attrs = attrs;
}

/* Rights of the tables above are not taken into account: each line is what its entries say. */
static void walk_table(struct dump *d, uint64_t at, int level, uint64_t va)
{
	pte_t old;

	if (d->cut || !d->entry(d->vcpu, at, &old.raw))
		return;
	if (++d->tables > MAX_TABLES) {
		d->cut = true;
		return;
	}
	for (uint64_t i = 0; i < 512 && d->entry(d->vcpu, at + 8 * i, &old.raw); i++) {
		uint64_t below = va | i << (12 + 9 * (level - 1));

		if (below >> (d->fmt->levels * 9 + 11) & 1)
			below |= ~0ull << (d->fmt->levels * 9 + 12);
		if (d->fmt->is_leaf(old, level))
			put_leaf(d, below, level, old);
		else if (d->fmt->is_present(old, level))
			walk_table(d, d->fmt->address(old, level), level - 1, below);
	}
}

static void dump_root(struct dump *d, const struct paging_tables *tables)
{
	char text[64];

	d->fmt = tables->levels == 5 ? &pt_x86_64_la57 : &pt_x86_64;
	d->entry = tables->entry;
	snprintf(text, sizeof(text), "vCPU %d: root %016llx", d->vcpu->id, (unsigned long long)tables->root);
	put_line(d, text);
	walk_table(d, tables->root, tables->levels, 0);
	end_run(d);
}

/* The vCPU is out of the guest. -errno with *err. */
static int dump_guest(struct dump *d, struct control_error *err)
{
	struct cpu_state state;
	const int r = d->vcpu->vm->paging->get_state(d->vcpu, &state);

	if (r < 0)
		return control_fail(err, -r, "vCPU %d does not tell its registers", d->vcpu->id);
	dump_root(d, &(struct paging_tables){.root = state.cr3 & PTE_ADDR,
	                                     .levels = state.cr4 & CR4_LA57 ? 5 : 4,
	                                     .entry = vcpu_guest_entry});
	return 0;
}

/* What the CPU walks in place of the guest's tables. */
static int dump_shadow(struct dump *d, struct control_error *err)
{
	struct paging_tables tables;

	if (d->vcpu->vm->paging->tables(d->vcpu, false, &tables) && tables.size) {
		dump_root(d, &tables);
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
		stage2_dump(&vm->stage2, put_line_of, d);
	for (int i = 0; stage != STAGE_2 && r == 0 && i < vm->nr_vcpus; i++) {
		d->vcpu = vm->vcpu[i];
		if (d->vcpu->started)
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
	struct dump d = {.vm = m->vm};
	int r;

	if (machine_pause(m, err) < 0)
		return NULL;
	d.lines = json_array();
	pthread_mutex_lock(&m->vm->reclaim_lock); /* the balloon's thread works on while the vCPUs are kept out */
	r = dump_all(&d, which, err);
	pthread_mutex_unlock(&m->vm->reclaim_lock);
	if (r < 0) {
		json_decref(d.lines);
		d.lines = NULL;
	} else if (d.cut) {
		json_array_append_new(d.lines, json_string("more was left out"));
	}
	vm_resume(m->vm);
	return d.lines;
}
