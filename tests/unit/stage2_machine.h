/* SPDX-License-Identifier: MIT */
/* Memory with a second stage, for the suite `stage2`. Each test makes it; it is audited and destroyed afterwards. */
#ifndef TESTS_UNIT_STAGE2_MACHINE_H
#define TESTS_UNIT_STAGE2_MACHINE_H

#include "stage2/stage2.h"

#define SMALL (8ull << 20)
#define BLOCK PAGE_2M /* the block that most tests work on */

extern struct guest_mem mem;
extern struct stage2 s2;
extern struct pt_gather g;

void make(uint64_t size);
void audit(void);

/* Level of the leaf for a gpa, 0 for none; and the lookup agrees with the engine. */
int level_at(uint64_t gpa);
uint64_t maddr_of(uint64_t gpa);
void *ptr(uint64_t gpa, uint64_t len);
unsigned pages_mapped(uint64_t gpa, uint64_t size);

#endif
