/* SPDX-License-Identifier: MIT */
/*
 * Into how many mappings of the host's guest memory may be cut. The host allows a process so many (vm.max_map_count), and
 * a process that has used them up gets no memory at all. A part of a mapping that becomes another kind of memory costs
 * two more at most.
 *
 *   0 ... 3/8   guest_mem_map_file(), for what is shared
 *     ... 5/8   pages that are dropped out of what is shared
 *     ... 1     everything else
 */
#ifndef GNOMON_MEM_CUTS_H
#define GNOMON_MEM_CUTS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/log.h"

struct cuts {
	_Atomic uint64_t made; /* at most: those that were joined again count until the next recount */
	_Atomic uint64_t refused;
	uint64_t allowed; /* by the host, in all; 0: not asked yet */
};

enum cuts_share { CUTS_TO_MAP, CUTS_TO_DROP };

/* Counts a part that becomes another kind of memory. False: the share is used up. Threads: any. */
bool cuts_take(struct cuts *c, enum cuts_share share);

/* As many mappings as are set aside for both, once anything was taken; before that 0. */
uint64_t cuts_set_aside(const struct cuts *c);

/* What the host allows a process. */
uint64_t cuts_allowed(void);

#endif
