/* SPDX-License-Identifier: MIT */
/* Parts of `gnomon walk`: what it shows of a reply to `walk`. The reply may be anything that is an object. */
#ifndef GNOMON_CMD_WALK_H
#define GNOMON_CMD_WALK_H

#include <jansson.h>
#include <stdio.h>

/* Columns for a terminal. */
void walk_print(json_t *reply, FILE *to);

/* The grid: the guest's levels as rows, the second stage's as columns, numbered in the order of the references. */
void walk_draw(json_t *reply, FILE *to);

/* "#PF, error code 0x3 (P W)", or "" where the access is allowed. */
struct walk_fault {
	char text[64];
};
struct walk_fault walk_fault(const json_t *reply);

/* "4 KiB page", "2 MiB page", "1 GiB page", "table": what a reference leads to; "nothing". */
const char *walk_target(const json_t *reference);

#endif
