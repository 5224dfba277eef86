/* SPDX-License-Identifier: MIT */
/*
 * Enclaves of a VM: the port by which the guest's kernel asks for them (include/gnomon/enclave.h), and the memory that goes
 * from the guest to the monitor and back.
 *
 *   guest           vCPU's thread                                    monitor
 *   OUT  ------->   handler: copies the request
 *                   errand, outside the guest, no lock held:
 *                     ADD: takes the pages (vm/lend.h) --content-->  frames of its own
 *                     ENTER, RESUME  ------------------------------> runs the enclave until it is left
 *                   writes the answer
 *
 * Locks: `lock`, first of all locks, guards what is known of the guest's memory; it is not held while an enclave runs.
 */
#ifndef GNOMON_PLATFORM_ENCLAVE_H
#define GNOMON_PLATFORM_ENCLAVE_H

#include <gnomon/enclave.h>

#include "base/log.h"
#include "monitor/monitor.h"
#include "vm/vm.h"

struct platform_enclaves;

struct platform_enclaves_config {
	uint64_t memory; /* bytes of secure memory, whole pages; 0: none */
	int levels;      /* of the third stage: 1, 2 or 4 */
	enum monitor_kind kind;
	int cpus;
};

/*
 * Starts the monitor: before the VM and its threads are made. -errno, logged. Without secure memory there is no monitor, and
 * every call is answered with GNOMON_ENCLAVE_OFF.
 * With a process, this one gives up the calls by which it could reach the monitor's memory (monitor/sandbox.h).
 */
int must_check platform_enclaves_start(const struct platform_enclaves_config *config,
                                       struct platform_enclaves **ret_enclaves);
/* Ends the monitor, after vm_destroy(). NULL is fine. */
void platform_enclaves_stop(struct platform_enclaves *e);

/*
 * Attaches the port to the VM, before its first vCPU runs. Detach it before the VM is destroyed, when its vCPUs' threads
 * have been joined; `e` is stopped later.
 */
void platform_enclaves_attach(struct platform_enclaves *e, struct vm *vm);
void platform_enclaves_detach(struct platform_enclaves *e);

struct enclave_summary {
	unsigned id;
	const char *state;
	struct gnomon_enclave_create create;
	uint64_t pages, tables, entries, exits[GNOMON_ENCLAVE_FAULTED + 1];
	bool sealed; /* it has a measurement */
	uint8_t measurement[GNOMON_ENCLAVE_MEASUREMENT];
	struct monitor_walk walk; /* of the address that was looked at, if it is sealed */
};

/* For vm->enclaves, which has secure memory. Tells of each live enclave. -errno: the monitor is gone. Not from a vCPU's thread. */
int must_check platform_enclaves_look(struct platform_enclaves *e,
                                      void (*fn)(void *ctx, const struct enclave_summary *summary), void *ctx);
/* The same, with the walk of `va` in each. */
int must_check platform_enclaves_look_at(struct platform_enclaves *e, uint64_t va,
                                         void (*fn)(void *ctx, const struct enclave_summary *summary), void *ctx);

/* The third stage, which is one tree for all enclaves (enclave/stage.h). */
struct platform_third_stage {
	int levels;
	uint64_t memory; /* bytes of secure memory, which it describes */
	uint64_t bytes;  /* of its tables */
};

/* As platform_enclaves_look(). */
int must_check platform_enclaves_third_stage(struct platform_enclaves *e, struct platform_third_stage *ret_stage);

/* Whether there is an enclave. The VM is at rest (vm/rest.h), so that none comes or goes. */
bool platform_enclaves_any(const struct platform_enclaves *e);
/* Whether secure memory is never swapped out. */
bool platform_enclaves_locked(const struct platform_enclaves *e);
/* The public key of reports: PLATFORM_ENCLAVES_KEY bytes. */
#define PLATFORM_ENCLAVES_KEY 32
const uint8_t *platform_enclaves_key(const struct platform_enclaves *e);

#endif
