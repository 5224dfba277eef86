/* SPDX-License-Identifier: MIT */
/*
 * The permission oracle: a guest that tries every combination of page-table bits, CPU mode and access, and
 * compares what happened with what the manual says. One case is one number; numbers never depend on options.
 *
 *   cases.c    number -> case, and a case in words
 *   predict.c  what the manual says (shares nothing with the VMM's walk)
 *   observe.c  what happens: builds the tables, makes the access, reads them back
 *   access.S   the accesses themselves, at both privilege levels, and the way back from a fault
 */
#ifndef ORACLE_H
#define ORACLE_H

/* Selectors, known to access.S, too. */
#define USER_CS 0x1b
#define USER_DS 0x23
#define TSS     0x28

#define NO_VECTOR 255 /* the access went through, at CPL 0 */

#ifndef __ASSEMBLER__
#include <stdbool.h>
#include <stdint.h>

enum access_kind { READ, WRITE, FETCH, ACCESS_KINDS };

/* Entries by level, 4 (PML4) to 1; those below the leaf are unused. */
#define LEVELS 5

struct mode {
	bool wp, nxe, smep, smap;
	bool ac; /* EFLAGS.AC in accesses at CPL 0; only where smap */
};

struct test_case {
	uint64_t number;
	struct mode mode;
	int leaf;  /* level of the leaf: 1 (4 KiB) or 2 (2 MiB) */
	int upper; /* level of the other entry that varies */
	uint64_t entry[LEVELS];
	enum access_kind kind;
	bool user;
	bool reload; /* CR3 is reloaded before the access, instead of INVLPG */
};

struct result {
	bool fault;
	uint32_t error;
	uint64_t cr2;
	uint64_t entry[LEVELS];
	const char *odd; /* what else went wrong, in words; NULL: nothing */
};

#define TEST_VA   0x10140a07000 /* PML4 slot 2, PDPT 5, PD 5, PT 7 */
#define USER_VA   0x08000000000 /* PML4 slot 1 */
#define TEST_DATA (TEST_VA + 128)

/* Physical addresses in the entries of the test's path; set by observe_init(). */
extern uint64_t table_of[LEVELS]; /* the table that an entry of this level + 1 names */
extern uint64_t test_page;	  /* 2 MiB, aligned */
extern int maxphyaddr;

uint64_t cases_total(void);
/* Numbers of one mode are neighbours. */
void case_decode(uint64_t number, struct test_case *ret_case);
void case_print(const struct test_case *c);
void result_print(const struct result *r);

/* APM2 5.3-5.6 and 8.4.2. */
void predict(const struct test_case *c, struct result *ret_result);

/* Takes the machine over; `reserved` bits of addresses need a physical address of less than 52 bits. */
void observe_init(void);
void observe(const struct test_case *c, struct result *ret_result);

void print(const char *text);
void print_number(uint64_t value);
void print_hex(uint64_t value);
void end(int status) __attribute__((noreturn));
#endif

#endif
