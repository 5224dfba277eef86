/* SPDX-License-Identifier: MIT */
/*
 * The permission oracle: a guest that tries every combination of page-table bits, CPU mode and access, and
 * compares what happened with what the manual says. One case is one number; numbers never depend on options.
 * Most cases make another access first, so that something may be cached when the one that matters comes; both are
 * judged.
 *
 *   cases.c    number -> case, and a case in words
 *   predict.c  what the manual says (shares nothing with the VMM's walk)
 *   observe.c  what happens: builds the tables, makes the access, reads them back
 *   access.S   the accesses themselves, at both privilege levels, and the way back from a fault
 *   anew.c     number -> case of a table that is linked at a new place
 *   states.c   what else decides whether an instruction is executed: CR0, RFLAGS.AC, what is pending behind STI and
 *              MOV SS
 *   main.c     which cases, the comparison, the report
 */
#ifndef ORACLE_H
#define ORACLE_H

/* Selectors, known to access.S, too. */
#define USER_CS 0x1b
#define USER_DS 0x23
#define TSS     0x28

#define NO_VECTOR 255 /* the access went through, at CPL 0 */

#define USER_VA 0x08000000000 /* PML4 slot 1 */

#ifndef __ASSEMBLER__
#include <stdbool.h>
#include <stdint.h>

#include "../bare/bare.h"

enum access_kind { READ, WRITE, FETCH, ACCESS_KINDS };

/* What comes before the access that a case is about. */
enum warm {
	WARM_NONE,
	WARM_SAME,      /* a read at the same privilege level */
	WARM_OTHER,     /* a read at the other privilege level */
	WARM_NEIGHBOUR, /* a read of the next page, at the same level: may fetch this page's entry along */
	WARM_MODE,      /* the same access under the mode that permits most */
	WARM_TABLES,    /* the same access while the tables permit everything and lead elsewhere */
	WARM_KINDS
};

/* Entries by level, 4 (PML4) to 1; those below the leaf are unused. */
#define LEVELS 5

struct mode {
	bool wp, nxe, smep, smap;
	bool ac; /* EFLAGS.AC in accesses at CPL 0; only where smap */
};

struct access {
	struct mode mode;
	enum access_kind kind;
	bool user;
	bool neighbour; /* of the page after the one that varies */
	uint64_t address;
};

struct test_case {
	uint64_t number;
	int leaf;  /* level of the leaf: 1 (4 KiB), 2 (2 MiB) or 3 (1 GiB) */
	int upper; /* level of the other entry that varies */
	uint64_t entry[LEVELS];
	uint64_t old_entry[LEVELS]; /* in the first access of WARM_TABLES */
	enum warm warm;
	struct access first, last; /* first: unless WARM_NONE */
	bool reload;               /* CR3 is reloaded before the first access, instead of INVLPG */
	bool possible;             /* false: the bits it needs mean something else on this CPU */
};

struct result {
	bool fault;
	uint32_t error;
	uint64_t cr2;
	uint64_t entry[LEVELS];
	const char *odd; /* what else went wrong, in words; NULL: nothing */
};

#define TEST_VA 0x10140a07000 /* PML4 slot 2, PDPT 5, PD 5, PT 7 */
/* In the test's page, by offset */
#define TEST_USER_CODE   0
#define TEST_KERNEL_CODE 64
#define TEST_DATA        128

/* Set by observe_init(): physical addresses in the entries of the test's path, and what CPUID says. */
extern uint64_t table_of[LEVELS];    /* the table that an entry of this level + 1 names */
extern uint64_t test_page, old_page; /* 2 MiB each, aligned */
extern int maxphyaddr;
extern bool gbpages;

uint64_t cases_total(void);
/* Numbers of one mode are neighbours. */
void case_decode(uint64_t number, struct test_case *ret_case);
/*
 * The page's leaf changes from old_entry to entry, then a table above it is linked at another place, and nothing is
 * invalidated. `first` is of the place that it has been at, `last` of the new one. Before it *ret_linking, if it is of
 * the neighbour, goes to the new place: whoever links a shadow there by a fault of one page must not trust it for
 * another. Returns the level of the new entry.
 */
int anew_decode(uint64_t number, struct test_case *ret_case, struct access *ret_linking);
extern const uint64_t anew_total;
void case_print(const struct test_case *c);
void result_print(const struct result *r);
/* The level-1 entry of the page after the test's: as permissive as `user` allows. */
uint64_t neighbour_entry(bool user);

/* APM2 5.3-5.6 and 8.4.2: what access `a` meets, and leaves behind, where the path holds `entry`. */
void predict(const struct access *a, int leaf, const uint64_t *entry, struct result *ret_result);

/* Takes the machine over. Without `stac` EFLAGS.AC is never set. */
void observe_init(bool stac);
/* Makes the path hold `entry`; with `neighbour_user` != NULL the next page's entry, too. No invalidation. */
void observe_set(const uint64_t *entry, const bool *neighbour_user);
/* Beside the entry of this level on the test's path: one that leads to the same table, or nothing. */
void observe_link(int level, bool linked);
void observe_read(uint64_t *ret_entry);
/* Whatever the CPU cached of both pages is gone: by CR3 or by INVLPG. */
void observe_invalidate(const struct access *a, bool reload);
/* Changes the mode. Writes only what changes: each of these traps in shadow mode. */
void observe_mode(const struct mode *m);
/* The access for real. `number` marks the memory; an access that is allowed goes to `entry`'s leaf at level `leaf`. */
void observe(const struct access *a, uint64_t number, int leaf, const uint64_t *entry, struct result *ret_result);

/*
 * states.c: all of its cases, of which it prints the differences. QEMU checks no alignment. Without `stac` only what
 * kvm_pvm does in nested mode: its CPL 0 is KVM's emulator. `known`: what is known to differ, too. Returns their
 * number.
 */
struct states_judge {
	bool qemu, stac, known, kvm_shadow; /* the words of the same names, main.c */
};
uint64_t states_try(const struct states_judge *judge, uint64_t *ret_differences);

/* From access.S: an exception that no access explains. */
void trapped_astray(uint64_t vector, uint64_t error, uint64_t rip) __attribute__((noreturn));
#endif

#endif
