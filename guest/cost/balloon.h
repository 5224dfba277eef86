/* SPDX-License-Identifier: MIT */
/* balloon.c: the parts of its rows, for the list in rows.c. */
#ifndef GUEST_COST_BALLOON_H
#define GUEST_COST_BALLOON_H

#include <stdbool.h>
#include <stdint.h>

void prepare_untouched(uint32_t most);
void prepare_singles(uint32_t most);
void prepare_singles_away(uint32_t most); /* in the balloon */
void prepare_blocks(uint32_t most);
void prepare_blocks_away(uint32_t most);
void prepare_load_dense(uint32_t most);
void prepare_load(uint32_t most);
void prepare_load_holes(uint32_t most);
void prepare_load_joined(uint32_t most);

void run_reclaim_4k(uint32_t from, uint32_t n);
void run_return_4k(uint32_t from, uint32_t n);
void run_return_touch_4k(uint32_t from, uint32_t n);
void run_reclaim_2m(uint32_t from, uint32_t n);
void run_report_2m(uint32_t from, uint32_t n);
void run_return_2m(uint32_t from, uint32_t n);
void run_return_touch_2m(uint32_t from, uint32_t n);
void run_split(uint32_t from, uint32_t n);
void run_zap(uint32_t from, uint32_t n);
void run_load(uint32_t from, uint32_t n);

/* Gives the first page of each of so many 2 MiB blocks to the balloon, and takes it back. */
void holes_make(uint32_t blocks);
void holes_fill(uint32_t blocks);

/* True if the device did all that it was asked for. */
bool check_balloon(uint32_t n);

#endif
