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
#include <string.h>

#include "machine/tables.h"
#include "platform/enclave.h"
#include "view/walk.h"

struct ask {
	struct machine *m;
	struct vcpu *vcpu;
	struct view_walk walk;
};

/* The CPU's own walk in shadow mode; NULL in the other, or where no shadow stands yet. */
static json_t *shadow_references(const struct ask *a, const char **ret_end)
{
	struct machine_tables tables;
	struct control_error none;
	struct pt_path path;
	json_t *list;

	*ret_end = "no-root";
	if (machine_find_tables(a->vcpu, MACHINE_SHADOW, a->walk.access.user ? PAGING_VIEW_USER : PAGING_VIEW_KERNEL,
	                        &tables, &none) < 0)
		return NULL;
	list = json_array();
	pt_path_foreign(&tables.source, gva_raw(a->walk.gva), &path);
	for (int i = 0; i < path.nr; i++)
		json_array_append_new(list,
		                      view_reference("shadow", tables.source.fmt, path.step[i].level, &path.step[i]));
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

		json_array_append_new(list, s->third ? view_reference("third", &pt_enclave, s->row, &step)
		                                     : view_reference("enclave", &pt_x86_64, s->row, &step));
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
		                                "base", view_hex(s->create.base), "mapped", (int)s->walk.mapped,
		                                "references", enclave_references(&s->walk)));
}

/* Those that have this address, with their own walk, which is the monitor's to tell. */
static int add_enclaves(json_t *reply, const struct ask *a, struct control_error *err)
{
	struct platform_enclaves *all = a->m->vm->enclaves;
	struct enclaves_at at = {.gva = gva_raw(a->walk.gva), .list = json_array()};
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
	static const char *const words[2][2] = {
	    {"The second stage shown is Gnomon's own tree. KVM's, which the CPU walks, maps the same memory, maybe by "
	     "pages of other sizes. KVM shows it to nobody.",
	     "The CPU walks one table that KVM makes of both stages in software: at most 4 references. KVM shows it to "
	     "nobody."},
	    {"The shadow lies in machine memory, which KVM's second stage translates in hardware: each of its "
	     "references costs a walk of that. KVM shows it to nobody.",
	     "The CPU walks tables that KVM makes of the shadow in software. KVM shows them to nobody."}};

	return words[strcmp(a->walk.paging, "shadow") == 0][strncmp(a->m->second_stage, "software", 8) == 0];
}

static json_t *answer(const struct ask *a)
{
	const char *shadow_end;
	struct trace t;
	json_t *reply, *shadow;

	trace_walk(&a->m->vm->stage2, &a->walk.mode, a->walk.gva, a->walk.access, &t);
	reply = view_walk(&a->walk, &t);
	json_object_set_new(reply, "second-stage", json_string(a->m->second_stage));
	shadow = shadow_references(a, &shadow_end);
	if (shadow)
		json_object_set_new(reply, "shadow", shadow);
	if (strcmp(a->walk.paging, "shadow") == 0)
		json_object_set_new(reply, "shadow-end", json_string(shadow_end));
	json_object_set_new(reply, "known", json_string(known(a)));
	if (t.walk.outcome == WALK_OK)
		json_object_set_new(reply, "memory", json_boolean(t.has_memory));
	if (t.has_memory)
		json_object_set_new(reply, "maddr", view_hex(maddr_raw(t.maddr)));
	return reply;
}

/* The VM stands still. */
static int look(struct ask *a, const struct control_walk *wanted, struct control_error *err)
{
	struct cpu_state state;
	int r = machine_vcpu(a->m, wanted->cpu, &a->vcpu, err);

	if (r < 0)
		return r;
	r = a->vcpu->vm->paging->get_state(a->vcpu, &state);
	if (r < 0)
		return control_fail(err, -r, "vCPU %d does not tell its registers", a->vcpu->id);
	a->walk.cpu = a->vcpu->id;
	a->walk.paging = a->vcpu->vm->paging->name;
	a->walk.mode = vcpu_walk_mode(&state);
	a->walk.mode.gbpages &= !(a->m->refuses_1g && strcmp(a->walk.paging, "nested") == 0);
	return view_walk_prepare(&a->walk, wanted, &state, err);
}

json_t *machine_walk(void *machine, const struct control_walk *wanted, struct control_error *err)
{
	struct ask a = {.m = machine};
	json_t *reply = NULL;
	uint64_t gva;

	if (view_parse_address("address", wanted->address, &gva, err) < 0)
		return NULL;
	a.walk.gva = gva_init(gva);
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
