/* SPDX-License-Identifier: MIT */
/* query-paging and set-paging. */
#include <errno.h>

#include "machine/machine.h"
#include "mem/backing.h"
#include "paging/switch.h"
#include "shadow/shadow.h"

static json_t *shadow_options(const struct paging_config *config)
{
	json_t *opts = json_array();

	for (int i = 0; i < SHADOW_OPTS; i++)
		if (config->shadow_opts & shadow_opt_desc[i].opt)
			json_array_append_new(opts, json_string(shadow_opt_desc[i].name));
	return json_pack("{s:o, s:I, s:b}", "optimisations", opts, "memory", (json_int_t)config->shadow_memory, "audit",
	                 config->audit);
}

json_t *machine_paging(void *machine, struct control_error *err)
{
	const struct machine *m = machine;
	struct paging_history h;
	const char *mode;
	json_t *reply;

	paging_look(m->vm, &mode, &h);
	reply = json_pack("{s:s, s:s, s:s, s:I, s:s, s:I}", "mode", mode, "second-stage", m->second_stage, "backing",
	                  backing_name(m->vm->mem.backing), "memory", (json_int_t)m->vm->mem.size, "reason", h.reason,
	                  "changes", (json_int_t)h.changes);
	if (h.changes) {
		json_object_set_new(reply, "since-ms", json_integer((json_int_t)h.since_ms));
		json_object_set_new(reply, "last-change-us", json_integer((json_int_t)h.us));
	}
	if (mode == paging_by_name("shadow")->name)
		json_object_set_new(reply, "shadow", shadow_options(&m->vm->paging_config));
	return reply;
}

int machine_set_paging(void *machine, const char *mode, bool *ret_changed, uint64_t *ret_us, struct control_error *err)
{
	const struct machine *m = machine;
	char why[VM_WHY_MAX];
	const int r = paging_change(m->vm, paging_by_name(mode), "set-paging", ret_changed, ret_us, why);

	return r < 0 ? control_fail(err, -r, "%s; the guest is as it was", why) : 0;
}
