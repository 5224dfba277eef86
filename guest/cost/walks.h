/* SPDX-License-Identifier: MIT */
/* walks.c: the parts of its rows, for the list in rows.c. */
#ifndef GUEST_COST_WALKS_H
#define GUEST_COST_WALKS_H

#include <stdbool.h>
#include <stdint.h>

void prepare_walks_4k(uint32_t most);
void prepare_walks_4k_holes(uint32_t most);
void prepare_walks_4k_joined(uint32_t most);
void prepare_walks_2m(uint32_t most);
void prepare_walks_2m_holes(uint32_t most);
void prepare_walks_2m_joined(uint32_t most);

void run_walks(uint32_t from, uint32_t n);

/* Says how many references the walks should have made. */
bool check_walks(uint32_t n);

#endif
