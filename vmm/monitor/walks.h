/* SPDX-License-Identifier: MIT */
/*
 * How long the page walks of an enclave would be if hardware walked the third stage: counted over its own stage-1
 * tables and the third stage as they stand. Only numbers come out.
 *
 *   second stage of 0 levels   none: stage 1 yields machine addresses, as tables do that KVM composes
 *                of 4 levels   tables are built for the count: the enclave's frames that a sweep reaches one-to-one, by
 *                              4 KiB pages, in frames that nobody owns. They are the enclave's meanwhile, so that
 *                              accesses to them are checked, too
 */
#ifndef GNOMON_MONITOR_WALKS_H
#define GNOMON_MONITOR_WALKS_H

#include "enclave/enclave.h"
#include "monitor/abi.h"

/*
 * Two sweeps over the enclave's pages, the second of which counts. `memory` is all secure memory. The caller holds what
 * guards the enclaves: nothing else is served meanwhile, so the pages are bounded. NOT_SEALED: there are no tables yet.
 * BAD_FLAGS: an argument has no such value. BAD_COUNT: a sweep would have more than GNOMON_ENCLAVE_WALKS_MAX pages.
 * NO_MEMORY: there is none for a second stage. Nothing has changed when it returns.
 */
enum gnomon_enclave_status monitor_walks(struct enclaves *all, const uint8_t *memory, unsigned id,
                                         const uint64_t args[GNOMON_ENCLAVE_ARGS], struct monitor_walks *ret_walks);

/*
 * The walk of one address of a sealed enclave, entry by entry; of any other and of an address that is not canonical it
 * has none. The caller holds what guards the enclaves.
 */
void monitor_walk(struct enclaves *all, const uint8_t *memory, unsigned id, uint64_t va, struct monitor_walk *ret_walk);

#endif
