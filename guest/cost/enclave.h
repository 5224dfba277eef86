/* SPDX-License-Identifier: MIT */
/* enclave.c: the parts of its rows, for the list in rows.c. */
#ifndef GUEST_COST_ENCLAVE_H
#define GUEST_COST_ENCLAVE_H

/* What an enclave does. */
#define ENCLAVE_RETURN 0 /* nothing */
#define ENCLAVE_OUT    1 /* calls out again and again */
#define ENCLAVE_FAULT  2 /* faults again and again */
#define ENCLAVE_CHASE  3 /* follows a ring */

/* Pages of the enclaves that are built. */
#define ENCLAVE_PAGES_4K   1
#define ENCLAVE_PAGES_64K  16
#define ENCLAVE_PAGES_1M   256
#define ENCLAVE_PAGES_16M  4096
#define ENCLAVE_PAGES_256M 65536
#define ENCLAVE_MOST       65536 /* of all that a run builds */

/* Of the walks that are counted: pages of the short sweep. */
#define ENCLAVE_SWEEP 32

#ifndef __ASSEMBLER__
#include <stdbool.h>
#include <stdint.h>

extern const uint8_t enclave_program[], enclave_program_end[];

void prepare_enclave_call(uint32_t most);
void prepare_enclave_out(uint32_t most);
void prepare_enclave_fault(uint32_t most);
void prepare_enclave_build_4k(uint32_t most);
void prepare_enclave_build_64k(uint32_t most);
void prepare_enclave_build_1m(uint32_t most);
void prepare_enclave_build_16m(uint32_t most);
void prepare_enclave_build_256m(uint32_t most);
void prepare_enclave_chase(uint32_t most);
void prepare_enclave_outside(uint32_t most);

void run_enclave_call(uint32_t from, uint32_t n);
void run_enclave_resume(uint32_t from, uint32_t n);
void run_enclave_build(uint32_t from, uint32_t n);
void run_enclave_chase(uint32_t from, uint32_t n);
void run_enclave_outside(uint32_t from, uint32_t n);

/* True if all calls did what they should. */
bool check_enclave(uint32_t n);
bool check_enclave_build(uint32_t n);
/* And says how long the walks of the enclave and of its guest are. */
bool check_enclave_walks(uint32_t n);
#endif

#endif
