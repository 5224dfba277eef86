/* SPDX-License-Identifier: MIT */
/* The enclaves of a VM, for those who look at them from outside. */
#ifndef GNOMON_PLATFORM_ENCLAVE_H
#define GNOMON_PLATFORM_ENCLAVE_H

#include <gnomon/enclave.h>

#include "base/log.h"

struct platform_enclaves; /* vm->enclaves; NULL there: this VM has none */

struct enclave_summary {
	unsigned id;
	const char *state; /* enclave_state_name(): "building" until INIT */
	struct gnomon_enclave_create create;
	uint64_t pages, tables; /* in secure memory */
	uint64_t entries, exits[GNOMON_ENCLAVE_FAULTED + 1];
	uint8_t measurement[GNOMON_ENCLAVE_MEASUREMENT]; /* from INIT on */
};

/* Tells of each live enclave. -errno: the monitor is gone. Not from a vCPU's thread. */
int must_check platform_enclaves_look(struct platform_enclaves *e,
                                      void (*fn)(void *ctx, const struct enclave_summary *summary), void *ctx);

/* The public key of reports, 32 bytes. */
const uint8_t *platform_enclaves_key(const struct platform_enclaves *e);

#endif
