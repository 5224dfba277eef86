/* SPDX-License-Identifier: MIT */
/*
 * walk: each reference of one translation, as JSON.
 *
 *   "guest"    the guest's tables with the second stage of each of their addresses. In nested mode that is what the CPU
 *              walks, if it has a second stage, but for one thing: the second stage here is Gnomon's own tree, and not
 *              the tables that KVM built for the CPU. In shadow mode it is what Gnomon composes from.
 *   "shadow"   in shadow mode: what the CPU walks, as it stands now
 *   "enclaves" an enclave that has the address: its own tables, and the third stage, which checks each machine address
 *
 * The VM stands still meanwhile. Nothing is written: no A, no D, and the shadow is not filled.
 */
#include <errno.h>
#include <gnomon/x86.h>
#include <string.h>

#include "machine/tables.h"
#include "platform/enclave.h"
#include "walk/rule.h"
#include "walk/trace.h"

struct ask {
	struct machine *m;
	struct vcpu *vcpu;
	gva_t gva;
	struct walk_access access;
	struct cpu_state state;
	struct walk_mode mode;
};

static json_t *reference(const char *table, const struct pt_format *fmt, int row, const struct pt_step *s)
{
	const bool leaf = fmt->is_leaf(s->entry, s->level);
	json_t *r = json_pack("{s:s, s:i, s:o, s:o, s:o, s:b}", "table", table, "level", s->level, "at",
	                      machine_hex(s->at), "entry", machine_hex(pte_raw(s->entry)), "flags",
	                      machine_flags(fmt, s->entry, s->level), "leaf", leaf);

	json_object_set_new(r, "row", json_integer(row));
	if (fmt->is_present(s->entry, s->level))
		json_object_set_new(r, "to", machine_hex(fmt->address(s->entry, s->level)));
	if (leaf)
		json_object_set_new(r, "page", json_integer((json_int_t)pt_span(fmt, s->level)));
	if (leaf && fmt->attrs & PT_OWNER_MASK)
		json_object_set_new(
		    r, "owner", json_integer((fmt->get_attrs(s->entry, s->level) & PT_OWNER_MASK) >> PT_OWNER_SHIFT));
	return r;
}

static json_t *rights(const struct walk *w)
{
	return json_pack("{s:b, s:b, s:b}", "write", w->w, "user", w->u, "execute", w->x);
}

/* What became of it, into the reply. */
static void add_end(json_t *reply, const struct ask *a, const struct trace *t)
{
	const struct walk *w = &t->walk;
	const struct walk_rule rule = walk_broken_rule(&a->mode, a->access, w);
	char sentence[WALK_SENTENCE];

	walk_rule_sentence(&a->mode, a->access, w, sentence);
	json_object_set_new(reply, "outcome", json_string(walk_outcome_name[w->outcome]));
	json_object_set_new(reply, "rule", json_string(walk_rule_name[rule.kind]));
	json_object_set_new(reply, "sentence", json_string(sentence));
	if (rule.level)
		json_object_set_new(reply, "rule-level", json_integer(rule.level));
	if (w->outcome != WALK_NON_CANONICAL)
		json_object_set_new(reply, "level", json_integer(w->level));
	if (w->outcome == WALK_NOT_PRESENT || w->outcome == WALK_RESERVED || w->outcome == WALK_DENIED) {
		json_object_set_new(reply, "vector", json_integer(VEC_PF));
		json_object_set_new(reply, "error-code", json_integer(w->error_code));
	}
	if (w->outcome == WALK_NON_CANONICAL)
		json_object_set_new(reply, "vector", json_integer(VEC_GP));
	if (w->outcome == WALK_OK || w->outcome == WALK_DENIED) {
		json_object_set_new(reply, "gpa", machine_hex(gpa_raw(w->gpa)));
		json_object_set_new(reply, "page", json_integer((json_int_t)level_span(w->level)));
		json_object_set_new(reply, "rights", rights(w));
	}
	if (w->outcome == WALK_OK)
		json_object_set_new(reply, "memory", json_boolean(t->has_memory));
	if (t->has_memory)
		json_object_set_new(reply, "maddr", machine_hex(maddr_raw(t->maddr)));
}

static json_t *guest_references(const struct trace *t)
{
	json_t *list = json_array();

	for (int i = 0; i < t->nr; i++)
		json_array_append_new(list, reference(trace_is_guest(&t->ref[i]) ? "guest" : "stage2", t->ref[i].fmt,
		                                      t->ref[i].row, &t->ref[i].step));
	return list;
}

/* The CPU's own walk in shadow mode; NULL in the other, or where no shadow stands yet. */
static json_t *shadow_references(const struct ask *a, const char **ret_end)
{
	struct machine_tables tables;
	struct control_error none;
	struct pt_path path;
	json_t *list;

	*ret_end = "no-root";
	if (machine_find_tables(a->vcpu, MACHINE_SHADOW, a->access.user ? PAGING_VIEW_USER : PAGING_VIEW_KERNEL,
	                        &tables, &none) < 0)
		return NULL;
	list = json_array();
	pt_path_foreign(&tables.source, gva_raw(a->gva), &path);
	for (int i = 0; i < path.nr; i++)
		json_array_append_new(list, reference("shadow", tables.source.fmt, path.step[i].level, &path.step[i]));
	*ret_end = path.mapped ? "mapped" : "absent";
	return list;
}

struct enclaves_at {
	uint64_t gva;
	json_t *list;
};

static json_t *enclave_references(const struct monitor_walk *w)
{
	json_t *list = json_array();

	for (uint32_t i = 0; i < w->nr; i++) {
		const struct monitor_step *s = &w->step[i];
		const struct pt_step step = {s->level, s->at, pte_init(s->entry)};

		json_array_append_new(list, s->third ? reference("third", &pt_enclave, s->row, &step)
		                                     : reference("enclave", &pt_x86_64, s->row, &step));
	}
	return list;
}

/* Enclaves of several processes may have the same addresses. */
static void note_enclave(void *ctx, const struct enclave_summary *s)
{
	struct enclaves_at *at = ctx;

	if (at->gva - s->create.base < s->create.size)
		json_array_append_new(at->list,
		                      json_pack("{s:i, s:s, s:o, s:b, s:o}", "id", (int)s->id, "state", s->state,
		                                "base", machine_hex(s->create.base), "mapped", (int)s->walk.mapped,
		                                "references", enclave_references(&s->walk)));
}

/* Those that have this address, with their own walk, which is the monitor's to tell. */
static int add_enclaves(json_t *reply, const struct ask *a, struct control_error *err)
{
	struct platform_enclaves *all = a->m->vm->enclaves;
	struct enclaves_at at = {.gva = gva_raw(a->gva), .list = json_array()};
	const int r = all ? platform_enclaves_look_at(all, at.gva, note_enclave, &at) : 0;

	if (r < 0)
		machine_enclaves_unknown(r, err);
	else if (json_array_size(at.list))
		json_object_set(reply, "enclaves", at.list);
	json_decref(at.list);
	return r;
}

/* What is known of the tables that the CPU walks, and what is not. */
static const char *known(const struct ask *a)
{
	const bool software = strncmp(a->m->second_stage, "software", 8) == 0;

	if (strcmp(a->vcpu->vm->paging->name, "shadow") == 0)
		return software
		           ? "The CPU walks tables that KVM makes of the shadow in software. KVM shows them to nobody."
		           : "The shadow lies in machine memory, which KVM's second stage translates in hardware: each "
		             "of "
		             "its references costs a walk of that. KVM shows it to nobody.";
	return software
	           ? "The CPU walks one table that KVM makes of both stages in software: at most 4 references. KVM "
	             "shows "
	             "it to nobody."
	           : "The second stage shown is Gnomon's own tree. KVM's, which the CPU walks, maps the same memory, "
	             "maybe by pages of other sizes. KVM shows it to nobody.";
}

static json_t *answer(const struct ask *a)
{
	static const char access_letter[] = "rwx";
	const struct cpu_state *c = &a->state;
	const char access[] = {access_letter[a->access.write ? 1 : a->access.fetch ? 2 : 0], 0};
	const char *shadow_end;
	struct trace t;
	json_t *reply, *shadow;

	trace_walk(&a->m->vm->stage2, &a->mode, a->gva, a->access, &t);
	reply = json_pack("{s:i, s:s, s:s, s:o, s:s, s:b, s:o, s:o}", "cpu", a->vcpu->id, "mode",
	                  a->vcpu->vm->paging->name, "second-stage", a->m->second_stage, "address",
	                  machine_hex(gva_raw(a->gva)), "access", access, "user", a->access.user, "registers",
	                  json_pack("{s:o, s:b, s:b, s:b, s:b, s:b, s:i}", "cr3", machine_hex(c->cr3), "wp", a->mode.wp,
	                            "nxe", a->mode.nxe, "smep", a->mode.smep, "smap", a->mode.smap, "ac", a->access.ac,
	                            "cpl", c->cpl),
	                  "guest", guest_references(&t));
	shadow = shadow_references(a, &shadow_end);
	if (shadow)
		json_object_set_new(reply, "shadow", shadow);
	if (strcmp(a->vcpu->vm->paging->name, "shadow") == 0)
		json_object_set_new(reply, "shadow-end", json_string(shadow_end));
	json_object_set_new(reply, "known", json_string(known(a)));
	add_end(reply, a, &t);
	return reply;
}

/* The VM stands still. */
static int look(struct ask *a, const struct control_walk *wanted, struct control_error *err)
{
	int r = machine_vcpu(a->m, wanted->cpu, &a->vcpu, err);

	if (r < 0)
		return r;
	r = a->vcpu->vm->paging->get_state(a->vcpu, &a->state);
	if (r < 0)
		return control_fail(err, -r, "vCPU %d does not tell its registers", a->vcpu->id);
	if (!(a->state.cr0 & CR0_PG) || !(a->state.efer & EFER_LMA) || a->state.cr4 & CR4_LA57)
		return control_fail(err, ENOTSUP, "vCPU %d does not use tables of four levels now", a->vcpu->id);
	a->mode = vcpu_walk_mode(&a->state);
	a->mode.gbpages &= !(a->m->refuses_1g && strcmp(a->vcpu->vm->paging->name, "nested") == 0);
	a->access =
	    (struct walk_access){.user = wanted->privilege ? strcmp(wanted->privilege, "user") == 0 : a->state.cpl == 3,
	                         .write = *wanted->access == 'w',
	                         .fetch = *wanted->access == 'x'};
	a->access.ac = !a->access.user && a->state.rflags & RFLAGS_AC;
	return 0;
}

json_t *machine_walk(void *machine, const struct control_walk *wanted, struct control_error *err)
{
	struct ask a = {.m = machine};
	json_t *reply = NULL;
	uint64_t gva;

	if (machine_parse_address("address", wanted->address, &gva, err) < 0)
		return NULL;
	a.gva = gva_init(gva);
	if (machine_begin_look(a.m, err) < 0)
		return NULL;
	if (look(&a, wanted, err) == 0)
		reply = answer(&a);
	machine_end_look(a.m);
	if (reply &&
	    add_enclaves(reply, &a, err) < 0) { /* without them the walk would say that nobody has the address */
		json_decref(reply);
		reply = NULL;
	}
	return reply;
}
