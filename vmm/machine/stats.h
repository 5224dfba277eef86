/* SPDX-License-Identifier: MIT */
/* Every counter of a run, Gnomon's and KVM's, for a file (--stats) or for a reader. */
#ifndef GNOMON_MACHINE_STATS_H
#define GNOMON_MACHINE_STATS_H

#include <stdio.h>

#include "base/log.h"
#include "vm/vm.h"

/*
 * All counters as one JSON object: name, unit, description, value, and the value of each vCPU. A reader is not waited
 * for once `give_up_fd` is readable (base/outfile.h). -errno, logged.
 */
int must_check stats_write_json(struct vm *vm, const char *path, int give_up_fd);

/* The counters that are not zero, a line each. */
void stats_print(struct vm *vm, FILE *to);

#endif
