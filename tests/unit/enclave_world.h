/* SPDX-License-Identifier: MIT */
/* Secure memory and enclaves in it for the unit tests. Every call is followed by an audit. */
#ifndef GNOMON_TESTS_UNIT_ENCLAVE_WORLD_H
#define GNOMON_TESTS_UNIT_ENCLAVE_WORLD_H

#include <criterion/criterion.h>

#include "enclave/enclave.h"

#define EW_PAGES  256
#define EW_SIZE   (EW_PAGES * PAGE_SIZE)
#define EW_BASE   0x10000000ull
#define EW_BUFFER 0x20000000ull

struct ew {
	uint8_t *memory;
	struct enclaves *all;
	uint64_t discarded; /* bytes */
	unsigned discards;
	bool refuses; /* to take memory back */
};

extern struct ew ew;

/* Secure memory of EW_SIZE with a third stage of `levels`; ew_end() undoes it. */
void ew_begin(int levels);
void ew_end(void);

/* An enclave of `pages` at EW_BASE, entered at its first page, with a buffer of one page at EW_BUFFER. */
struct gnomon_enclave_create ew_create(uint64_t pages);

/* A page whose bytes depend on `n`. */
const void *ew_page(unsigned n);

void ew_audit(void);

/* Checks the status and then the invariants. */
#define ew_expect(call, status)                                                                                        \
	do {                                                                                                           \
		const enum gnomon_enclave_status s_ = (call);                                                          \
		cr_expect_eq(s_, status, "%s: %s, not %s", #call, enclave_status_words(s_),                            \
		             enclave_status_words(status));                                                            \
		ew_audit();                                                                                            \
	} while (0)
#define ew_ok(call) ew_expect(call, GNOMON_ENCLAVE_OK)

/* Enclave `id` of four pages, in this state: code, data, data that is not measured, and a hole. */
void ew_bring_to(unsigned id, enum enclave_state state);

/* The ticket of the last exit that ew_bring_to() made. */
extern uint64_t ew_ticket;

enum enclave_state ew_state(unsigned id);

#endif
