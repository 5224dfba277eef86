/* SPDX-License-Identifier: MIT */
/*
 * Merging of this guest's memory with others', for clients (share/merge.h). Nothing of it belongs to the machine: the store
 * is the client's session's, and what was merged is mappings.
 *
 *   give, advise, places   the guest runs; vm.reclaim_lock, for 2 MiB at a time
 *   take                   the guest stands still, for DEDUP_PAUSE_MS at most and once in each command: it runs in between
 *
 * Locks: the control server's thread alone comes here.
 */
#ifndef GNOMON_MACHINE_DEDUP_H
#define GNOMON_MACHINE_DEDUP_H

#include "control/ops.h"

#define DEDUP_PAUSE_MS 5   /* beyond the 2 MiB that are at work when it is over */
#define DEDUP_WORK_MS  100 /* of a command */

/* See control/ops.h. */
int machine_dedup_store(void *machine, int store, bool users, uint64_t *ret_size, uint64_t *ret_unit,
                        struct control_error *err);
int machine_dedup(void *machine, enum control_dedup what, int store, const struct control_range *range, unsigned n,
                  struct control_merged *ret_merged, struct control_error *err);
json_t *machine_dedup_places(void *machine, uint64_t gpa, uint64_t size, struct control_error *err);

#endif
