/* SPDX-License-Identifier: MIT */
/* mmu.c: the parts of its rows, for the list in rows.c. */
#ifndef GUEST_COST_MMU_H
#define GUEST_COST_MMU_H

#include <stdbool.h>
#include <stdint.h>

#define MMU_PAGES  (COST_TABLES * 512) /* at most, of first-write */
#define MMU_TABLES 64                  /* at most, of table-data */
#define MMU_STORES 64                  /* to each */

void prepare_first_write(uint32_t most);
void run_first_write(uint32_t from, uint32_t n);
/* True if each page has its D bit. */
bool check_first_write(uint32_t n);

void prepare_table_data(uint32_t most);
void run_table_data(uint32_t from, uint32_t n);
/* True if all that was stored is there. */
bool check_table_data(uint32_t n);

#endif
