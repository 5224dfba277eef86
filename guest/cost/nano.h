/* SPDX-License-Identifier: MIT */
/* nano.c and nano_spaces.c: the parts of their rows, for the list in rows.c. */
#ifndef GUEST_COST_NANO_H
#define GUEST_COST_NANO_H

#define NANO_RANGE       64  /* pages of munmap and mprotect: for so many Linux flushes everything */
#define NANO_FILLS       256 /* in each leaf table */
#define NANO_STORE_BYTES 3   /* movb $1, (%rax) */
#define NANO_DIV_BYTES   2   /* div %ecx */

#define NANO_SPACES       64 /* address spaces there is room for */
#define NANO_FORK_PAGES   64 /* of a process */
#define NANO_FORK_WRITTEN 4  /* that the child writes, and then its parent */
#define NANO_CTX_TOUCHED  4  /* pages, after each switch */

#ifndef __ASSEMBLER__
#include <stdbool.h>
#include <stdint.h>

extern uint64_t cost_idt[256][2]; /* tables.S */

/* nano_entry.S. Each counts in nano_faults; the skipping ones continue behind the instruction that rows use. */
extern volatile uint32_t nano_faults;
void nano_skip_store(void);
void nano_skip_divide(void);
void nano_fill(void); /* maps the page of REGION */
void nano_call(void); /* nano_on_write(address) */
extern void (*nano_on_write)(uint64_t at);

/* nano.c: the handler of an exception from here on. CPL 3 can reach the IDT, as all of memory. */
void nano_handle(unsigned vector, void (*handler)(void));

void prepare_pgfault(uint32_t most);
void prepare_protfault(uint32_t most);
void prepare_divzero(uint32_t most);
void prepare_fill(uint32_t most);
void prepare_ranges(uint32_t most);
void prepare_fork_1(uint32_t most);
void prepare_fork_32(uint32_t most);
void prepare_ctx_2(uint32_t most);
void prepare_ctx_8(uint32_t most);
void prepare_ctx_64(uint32_t most);

void run_in(uint32_t from, uint32_t n);
void run_cr8wr(uint32_t from, uint32_t n);
void run_callret(uint32_t from, uint32_t n);
void run_store(uint32_t from, uint32_t n); /* to a page that faults each time */
void run_divzero(uint32_t from, uint32_t n);
void run_fill(uint32_t from, uint32_t n);
void run_munmap(uint32_t from, uint32_t n);
void run_mprotect(uint32_t from, uint32_t n);
void run_fork(uint32_t from, uint32_t n);
void run_ctx(uint32_t from, uint32_t n);

/* True if each operation faulted once; if each range has no writable page; if memory was never mixed up. */
bool check_faults(uint32_t n);
bool check_ranges(uint32_t n);
bool check_spaces(uint32_t n);
#endif

#endif
