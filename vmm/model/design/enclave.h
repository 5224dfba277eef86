/* SPDX-License-Identifier: MIT */
/*
 * A third stage around any walker: machine addresses are checked through a tree of pgtable's enclave format.
 *
 *     once     the address of each entry of the guest's, and the data's      2-D: + (Lg + 1) * Le
 *     every    all of these and the addresses of the host's entries           (Lg + 1)(Lh + 1)(1 + Le) - 1
 *
 * A check comes before the access. Its own entries lie in memory that nothing else uses, and are not checked. Frames
 * are owned as they come into use, one by one, so a check reads as many entries as the stage is deep: `depth` levels
 * share the bits of machine memory evenly.
 */
#ifndef GNOMON_MODEL_DESIGN_ENCLAVE_H
#define GNOMON_MODEL_DESIGN_ENCLAVE_H

#include "model/design/walker.h"
#include "model/walk_check.h"

#define MODEL_ENCLAVE_DEPTH 4

/*
 * Takes over `inner`, also on failure. `machine`: the memory in which the last dimension of `inner` lies. `limit`:
 * bytes that the stage may take. Depth 1 to MODEL_ENCLAVE_DEPTH. -ENOMEM.
 */
int must_check model_enclave_create(struct walker *inner, struct model_memory *machine, uint64_t limit, int depth,
                                    enum walk_reading reading, struct walker **ret_walker);

#endif
