/* SPDX-License-Identifier: MIT */
#include "machine/tables.h"

#include <errno.h>
#include <gnomon/x86.h>
#include <string.h>

#include "walk/trace.h"

enum machine_stage machine_stage(const char *name)
{
	if (name && strcmp(name, "shadow") == 0)
		return MACHINE_SHADOW;
	return name && strcmp(name, "stage2") == 0 ? MACHINE_STAGE2 : MACHINE_GUEST;
}

int machine_begin_look(struct machine *m, struct control_error *err)
{
	const int r = machine_pause(m, err);

	if (r < 0)
		return r;
	pthread_mutex_lock(&m->vm->reclaim_lock); /* the balloon's thread works on while the vCPUs are kept out */
	/* A vCPU that is held up by a device keeps the lock for as long as that takes. */
	if (pthread_mutex_trylock(&m->vm->paging_lock) == 0)
		return 0;
	pthread_mutex_unlock(&m->vm->reclaim_lock);
	vm_resume(m->vm);
	return control_fail(err, EBUSY, "a vCPU is held up by a device: does anybody read the console?");
}

void machine_end_look(struct machine *m)
{
	pthread_mutex_unlock(&m->vm->paging_lock);
	pthread_mutex_unlock(&m->vm->reclaim_lock);
	vm_resume(m->vm);
}

int machine_vcpu(const struct machine *m, int64_t number, struct vcpu **ret_vcpu, struct control_error *err)
{
	if (number < 0 || number >= m->vm->nr_vcpus)
		return control_fail(err, EINVAL, "There is no vCPU %lld: this VM has %d, counted from 0",
		                    (long long)number, m->vm->nr_vcpus);
	if (!m->vm->vcpu[number]->live)
		return control_fail(err, EINVAL, "The guest has not started vCPU %lld", (long long)number);
	*ret_vcpu = m->vm->vcpu[number];
	return 0;
}

static bool entry(void *ctx, uint64_t at, pte_t *ret_entry)
{
	const struct machine_tables *t = ctx;

	return t->tables.entry(t->vcpu, at, &ret_entry->raw);
}

static int find_guest(struct machine_tables *t, struct control_error *err)
{
	struct cpu_state state;
	const int r = t->vcpu->vm->paging->get_state(t->vcpu, &state);

	if (r < 0)
		return control_fail(err, -r, "vCPU %d does not tell its registers", t->vcpu->id);
	t->tables = (struct paging_tables){
	    .root = state.cr3 & PTE_ADDR, .levels = state.cr4 & CR4_LA57 ? 5 : 4, .entry = vcpu_guest_entry};
	return 0;
}

/* What the CPU walks in place of the guest's tables. */
static int find_shadow(struct machine_tables *t, enum paging_view view, struct control_error *err)
{
	const struct paging_ops *paging = t->vcpu->vm->paging;

	const bool found = paging->tables(t->vcpu, view, &t->tables);

	if (found && !t->tables.size)
		return control_fail(err, ENOTSUP, "%s paging has no shadow tables", paging->name);
	if (found && t->tables.root - maddr_raw(t->tables.base) < t->tables.size)
		return 0;
	return control_fail(err, ENOENT, "There is no shadow yet of what vCPU %d translates with", t->vcpu->id);
}

int machine_find_tables(struct vcpu *vcpu, enum machine_stage stage, enum paging_view view,
                        struct machine_tables *ret_tables, struct control_error *err)
{
	struct machine_tables *t = ret_tables;
	int r;

	*t = (struct machine_tables){.vcpu = vcpu};
	if (stage == MACHINE_STAGE2) {
		t->source = trace_second_stage(&vcpu->vm->stage2);
		return 0;
	}
	r = stage == MACHINE_SHADOW ? find_shadow(t, view, err) : find_guest(t, err);
	t->source = (struct pt_source){.fmt = t->tables.levels == 5 ? &pt_x86_64_la57 : &pt_x86_64,
	                               .root = t->tables.root,
	                               .entry = entry,
	                               .ctx = t};
	return r;
}
