/* SPDX-License-Identifier: MIT */
/* The control server's view of a real VM: struct control_ops over kvm/vm.h. */
#ifndef GNOMON_CONTROL_MACHINE_H
#define GNOMON_CONTROL_MACHINE_H

#include "control/ops.h"
#include "kvm/vm.h"

struct machine {
	struct vm *vm;
	const char *image;       /* path; the guest's name is its last part */
	const char *paging;      /* "nested" or "shadow" */
	const char *second_stage; /* the host's, as `gnomon host` has it */
	int kvm_stats[1 + VM_MAX_CPUS]; /* descriptors: the VM's, then each vCPU's; negative where KVM has none */
};

extern const struct control_ops machine_ops;

/* `vm` is made, but none of its vCPUs started: a running one would keep us waiting. -errno, said. */
int must_check machine_init(struct machine *m, struct vm *vm, const char *image);
void machine_destroy(struct machine *m);

/* machine_dump.c: a stage's tables as an array of lines; the VM is stopped meanwhile. */
json_t *machine_dump_tables(void *machine, const char *stage, struct control_error *err);

/* Stops the VM unless it is stopped; *ret_was_running says whether to resume. -errno with *err. */
int must_check machine_hold(struct machine *m, bool *ret_was_running, struct control_error *err);

#endif
