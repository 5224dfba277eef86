/* SPDX-License-Identifier: MIT */
/* The control server's view of a real VM: struct control_ops over vm/vm.h. */
#ifndef GNOMON_MACHINE_MACHINE_H
#define GNOMON_MACHINE_MACHINE_H

#include "control/ops.h"
#include "machine/dedup.h"
#include "machine/fingerprint.h"
#include "machine/save.h"
#include "vm/vm.h"

struct machine {
	struct vm *vm;
	struct boot_params boot;        /* of the image, for a reset; the guest's name is the last part of its path */
	struct boot_image image;        /* while it is reset */
	bool stopped;                   /* by a client */
	bool restored;                  /* from a snapshot: there is no image for a reset */
	bool share;                     /* also with guests of other users */
	struct save save;
	const char *second_stage;       /* the host's, as `gnomon host` has it */
	bool refuses_1g; /* in nested mode KVM takes PS at level 3 for reserved, whatever CPUID says (docs/hosts.md) */
	struct machine_fingerprints fingerprints;
	int kvm_stats[1 + VM_MAX_CPUS]; /* descriptors: the VM's, then each vCPU's; negative where KVM has none */
};

extern const struct control_ops machine_ops;

/* What a machine is made of. All of it outlives the machine. */
struct machine_parts {
	struct vm *vm;
	struct serial *console;
	struct platform *platform;
	struct boot_params boot;
	bool restored; /* from a snapshot: boot.image is a name and no file */
	bool share;    /* its memory may be merged with that of other users' guests */
};

/* The VM is made, but none of its vCPUs started: a running one would keep us waiting. -errno, logged. */
int must_check machine_init(struct machine *m, const struct machine_parts *parts);
void machine_destroy(struct machine *m);

/* machine/paging.c: how guest memory is translated, and another way from now on. See control/ops.h. */
json_t *machine_paging(void *machine, struct control_error *err);
int must_check machine_set_paging(void *machine, const char *mode, bool *ret_changed, uint64_t *ret_us,
                                  struct control_error *err);

/* machine/dump.c: a stage's tables as an array of lines; the VM is stopped meanwhile. */
json_t *machine_dump_tables(void *machine, const char *stage, struct control_error *err);

/* machine/tables_query.c and machine/walk.c: the same as trees of nodes; and each reference of one translation. */
json_t *machine_tables(void *machine, const struct control_tables *wanted, struct control_error *err);
json_t *machine_walk(void *machine, const struct control_walk *wanted, struct control_error *err);

/*
 * machine/enclaves.c: the enclaves and the key of their reports; and what may be told of their tables. See
 * control/ops.h.
 */
json_t *machine_enclaves(void *machine, struct control_error *err);
/* Says what -errno of platform_enclaves_look() and its like means: the enclaves are not known. */
void machine_enclaves_unknown(int r, struct control_error *err);
json_t *machine_enclave_tables(struct machine *m, const struct control_tables *wanted, struct control_error *err);

/*
 * machine/pause.c: the VM pauses for a command, stopped by a client or not; vm_resume() undoes that. -errno with *err.
 */
int must_check machine_pause(struct machine *m, struct control_error *err);
/* The same until a client says otherwise, with no instruction half done: a stopped guest can be saved and changed. */
int must_check machine_stop(struct machine *m, struct control_error *err);

#endif
