/* SPDX-License-Identifier: MIT */
/* Page tables of a VM that stands still, for the commands that look at them. */
#ifndef GNOMON_MACHINE_TABLES_H
#define GNOMON_MACHINE_TABLES_H

#include "machine/machine.h"
#include "pgtable/path.h"
#include "vm/vcpu.h"

enum machine_stage { MACHINE_GUEST, MACHINE_STAGE2, MACHINE_SHADOW };

/* As dump-tables and query-tables name it; NULL: the guest's. */
enum machine_stage machine_stage(const char *name);

struct machine_tables {
	struct vcpu *vcpu;
	struct paging_tables tables;
	struct pt_source source; /* `tables`, or the second stage; ctx is this struct unless the latter */
};

/*
 * Pauses the VM and takes the locks under which nobody changes a table; machine_end_look() undoes both. -errno with *err,
 * also while a vCPU is held up by a device, which may keep its lock for long.
 */
int must_check machine_begin_look(struct machine *m, struct control_error *err);
void machine_end_look(struct machine *m);

/* -EINVAL with *err: there is no such vCPU, or it was not started. */
int must_check machine_vcpu(const struct machine *m, int64_t number, struct vcpu **ret_vcpu, struct control_error *err);

/* The tables of this stage; of the shadow those for `view`. The result points into itself: do not copy it. -errno with *err. */
int must_check machine_find_tables(struct vcpu *vcpu, enum machine_stage stage, enum paging_view view,
                                   struct machine_tables *ret_tables, struct control_error *err);

#endif
