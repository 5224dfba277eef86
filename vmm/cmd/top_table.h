/* SPDX-License-Identifier: MIT */
/* What `gnomon top` shows of a running guest on a terminal. */
#ifndef GNOMON_CMD_TOP_TABLE_H
#define GNOMON_CMD_TOP_TABLE_H

#include <jansson.h>

#include "base/log.h"

/* Numbers at one moment: name -> value. */
struct sample {
	json_t *gnomon, *kvm;
	json_t *status;
	double time; /* seconds */
};

/*
 * Draws the counters that are not zero on stdout, with what they gained since `before` (empty: the first look), in
 * as many rows and columns as the terminal has now. -errno of stdout, not logged.
 */
int must_check top_print_table(const char *path, const struct sample *s, const struct sample *before);

#endif
