/* SPDX-License-Identifier: MIT */
/*
 * The monitor's side of the slots: the enclaves of one VM, and the KVM VMs that run them. All that comes from the VMM is
 * checked here or in enclave/.
 *
 * Threads: one at a time per slot. Locks: `lock` guards the enclaves; it is not held while one runs. An enclave that
 * runs belongs to the slot that entered it: enclave/ refuses every other call that could change it.
 */
#ifndef GNOMON_MONITOR_SERVE_H
#define GNOMON_MONITOR_SERVE_H

#include <pthread.h>

#include "enclave/report.h"
#include "monitor/abi.h"
#include "monitor/enclave_vm.h"

struct monitor_serve_config {
	int kvm_fd;    /* /dev/kvm, the caller's */
	uint64_t size; /* of secure memory; whole pages */
	int levels;    /* of the third stage */
	uint8_t
	    *buffers; /* of all enclaves, one behind the other: (GNOMON_ENCLAVE_MAX + 1) * GNOMON_ENCLAVE_BUFFER_MAX */
};

struct monitor_serve {
	struct monitor_serve_config config;
	uint8_t *memory; /* secure memory */
	struct enclaves *all;
	struct enclave_vm *vm[GNOMON_ENCLAVE_MAX + 1];
	struct enclave_key key;
	bool told; /* that the host lacks something for an INIT: a guest may try for ever */
	pthread_mutex_t lock;
};

/* -errno, logged. monitor_serve_destroy() undoes it. */
int must_check monitor_serve_init(struct monitor_serve *m, const struct monitor_serve_config *config);
/* No slot is being served. */
void monitor_serve_destroy(struct monitor_serve *m);

/*
 * Does what the slot's request says and writes the reply; does not touch `turn`. `on_run` is told the enclave's VM
 * before it runs, and NULL after it did, by the thread that runs it.
 */
void monitor_serve(struct monitor_serve *m, struct monitor_slot *slot, void (*on_run)(void *ctx, struct enclave_vm *vm),
                   void *ctx);

/* A bit of what may wait: the hash of a page. Holds up no request for longer. False: nothing waits. */
bool monitor_serve_meanwhile(struct monitor_serve *m);

#endif
