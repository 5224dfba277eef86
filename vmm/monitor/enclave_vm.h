/* SPDX-License-Identifier: MIT */
/*
 * The KVM VM of one enclave: one vCPU, and memslots with what the enclave can reach and nothing else.
 *
 *   maddr   memory.at: the enclave's run of frames      buffer: its marshalling buffer      stub
 *
 * The enclave runs at CPL 3 on the stage-1 tables of its view; CPL 0 has the stub of shadow mode (stub/stub.h), which
 * reports every trap by one OUT. Its registers stay in this vCPU: the guest's vCPU has never seen them.
 *
 * Locks: none; one thread at a time runs it. enclave_vm_kick() may come from any thread.
 */
#ifndef GNOMON_MONITOR_ENCLAVE_VM_H
#define GNOMON_MONITOR_ENCLAVE_VM_H

#include "enclave/enclave.h"

struct enclave_vm;

struct enclave_vm_config {
	int kvm_fd;      /* /dev/kvm, the caller's */
	uint8_t *memory; /* secure memory, as in struct enclaves_config */
	uint8_t *buffer; /* the marshalling buffer; NULL: none */
	bool quiet;      /* a failure is not logged */
};

/* What every view needs of the stub, for struct enclaves_config; *ret_nr of them. `stub`: where it lies in the VM. */
#define ENCLAVE_VM_FIXED 5
void enclave_vm_fixed(maddr_t stub, struct enclave_fixed ret_fixed[ENCLAVE_VM_FIXED]);

/* For a sealed enclave. NULL: the host lacks something; logged, unless `quiet`. */
struct enclave_vm *enclave_vm_create(const struct enclave_vm_config *config, const struct enclave_info *info,
                                     maddr_t stub);
/* NULL is fine. */
void enclave_vm_destroy(struct enclave_vm *vm);

enum enclave_stop {
	ENCLAVE_STOP_CALL,   /* SYSCALL: the call's number is in RAX */
	ENCLAVE_STOP_FAULT,  /* vector and, of a page fault, the address */
	ENCLAVE_STOP_KICK,   /* enclave_vm_kick(), or a signal */
	ENCLAVE_STOP_FAILED, /* KVM refuses to go on; logged */
};

struct enclave_vm_stop {
	enum enclave_stop why;
	unsigned vector;
	uint64_t address;
};

/* Runs until it stops. `context` is loaded before and stored after. */
struct enclave_vm_stop enclave_vm_run(struct enclave_vm *vm, struct enclave_context *context);

/*
 * Its view changed: nothing that KVM or a TLB took from it may be used again. It does not run. A KVM that shadows in
 * software does not see what is stored into tables from outside, and forgets them with their memslot only. -errno,
 * logged: it cannot run any more.
 */
int must_check enclave_vm_forget(struct enclave_vm *vm);

/* Makes the run under way or the next one stop. The caller sends the running thread a signal. Any thread. */
void enclave_vm_kick(struct enclave_vm *vm);

#endif
