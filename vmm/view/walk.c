/* SPDX-License-Identifier: MIT */
#include "view/walk.h"

#include <errno.h>
#include <gnomon/x86.h>
#include <string.h>

#include "walk/rule.h"

int view_walk_prepare(struct view_walk *w, const struct control_walk *wanted, const struct cpu_state *c,
                      struct control_error *err)
{
	if (!(c->cr0 & CR0_PG) || !(c->efer & EFER_LMA) || c->cr4 & CR4_LA57)
		return control_fail(err, ENOTSUP, "vCPU %d does not use tables of four levels now", w->cpu);
	w->cpl = c->cpl;
	w->cr3 = c->cr3;
	walk_mode_set(&w->mode, c->cr0, c->cr3, c->cr4, c->efer);
	w->access =
	    (struct walk_access){.user = wanted->privilege ? strcmp(wanted->privilege, "user") == 0 : c->cpl == 3,
	                         .write = *wanted->access == 'w',
	                         .fetch = *wanted->access == 'x'};
	w->access.ac = !w->access.user && c->rflags & RFLAGS_AC;
	return 0;
}

static json_t *rights(const struct walk *w)
{
	return json_pack("{s:b, s:b, s:b}", "write", w->w, "user", w->u, "execute", w->x);
}

/* What became of it, into the reply. */
static void add_end(json_t *reply, const struct view_walk *v, const struct walk *w)
{
	const struct walk_rule rule = walk_broken_rule(&v->mode, v->access, w);
	char sentence[WALK_SENTENCE];

	walk_rule_sentence(&v->mode, v->access, w, sentence);
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
		json_object_set_new(reply, "gpa", view_hex(gpa_raw(w->gpa)));
		json_object_set_new(reply, "page", json_integer((json_int_t)level_span(w->level)));
		json_object_set_new(reply, "rights", rights(w));
	}
}

static json_t *references(const struct trace *t)
{
	json_t *list = json_array();

	for (int i = 0; i < t->nr; i++)
		json_array_append_new(list, view_reference(trace_is_guest(&t->ref[i]) ? "guest" : "stage2",
		                                           t->ref[i].fmt, t->ref[i].row, &t->ref[i].step));
	return list;
}

json_t *view_walk(const struct view_walk *w, const struct trace *t)
{
	const char access[] = {w->access.write ? 'w' : w->access.fetch ? 'x' : 'r', 0};
	const struct walk_mode *m = &w->mode;
	json_t *registers =
	    json_pack("{s:o, s:b, s:b, s:b, s:b, s:b, s:i}", "cr3", view_hex(w->cr3), "wp", m->wp, "nxe", m->nxe,
	              "smep", m->smep, "smap", m->smap, "ac", w->access.ac, "cpl", w->cpl);
	json_t *reply = json_pack("{s:i, s:s, s:o, s:s, s:b, s:o, s:o}", "cpu", w->cpu, "mode", w->paging, "address",
	                          view_hex(gva_raw(w->gva)), "access", access, "user", w->access.user, "registers",
	                          registers, "guest", references(t));

	add_end(reply, w, &t->walk);
	return reply;
}
