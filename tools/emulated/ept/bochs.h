/* SPDX-License-Identifier: MIT */
/*
 * The object that tools/ept-host loads into Debian's unmodified Bochs (LD_PRELOAD). Bochs exports all its symbols for
 * its plugins, and has empty functions to be filled by those who instrument it: these are overwritten with a jump.
 *
 *   hook.c     finds Bochs' functions and puts ours in their places; keeps Bochs off the network
 *   ports.c    the machine's way in and out: files, output, exit status, sign of life; the counter's port
 *   holes.c    reads the machine's memory from its saved state, without the parts that are nothing
 *   counter.c  adds up what the page walker reads (include/gnomon/walk_counter.h)
 *
 * All of it runs in Bochs' one thread that executes instructions.
 */
#ifndef GNOMON_EPT_BOCHS_H
#define GNOMON_EPT_BOCHS_H

#include <stdint.h>

/* Why Bochs 2.7 accesses physical memory: the ones that are told apart here (bochs.h, enum of BX_*_ACCESS). */
enum bochs_access {
	BOCHS_PTE = 5,
	BOCHS_PML4E = 8,
	BOCHS_EPT_PTE = 9,
	BOCHS_EPT_PML4E = 12,
	BOCHS_VMCS = 17,
};

#define BOCHS_CPUS 8

/*
 * Ports of tools/ept-host. A byte written to the first two is output; to the third a sign of life; to the fourth the
 * exit status, and the machine goes off. 32-bit reads of the last give the length of $EPT_FILES in bytes, then its
 * words.
 */
#define EPT_PORT_STDOUT 0x6e10
#define EPT_PORT_STDERR 0x6e11
#define EPT_PORT_BEAT   0x6e12
#define EPT_PORT_STATUS 0x6e13
#define EPT_PORT_FILES  0x6e14

/* The hint with which the program asks for them: before a state was loaded as a whole Bochs would forget them again. */
#define EPT_MARK_PORTS 0x7ead0300ul

/* Looks up what ports_begin() calls: a Bochs that lacks it ends before a machine runs. */
void ports_find(void);

/* Registers the ports. For the machine's own program, which knows that it runs; later calls do nothing. */
void ports_begin(void);

/* Ends Bochs with a sentence. */
void bochs_die(const char *fmt, ...) __attribute__((noreturn, format(printf, 1, 2)));

/* The address of a symbol of Bochs; it ends when there is none. */
void *bochs_symbol(const char *name);

/* The machine's state to the directory $EPT_SAVE, and Bochs ends. */
void bochs_save(void) __attribute__((noreturn));

/* What the counter is told. `value` is the entry that a walker read. */
void counter_table_access(unsigned cpu, unsigned why, int write, uint64_t value);
void counter_translated(unsigned cpu, uint64_t linear, uint64_t physical);
void counter_refused(unsigned cpu);
void counter_exit(unsigned cpu, unsigned reason);
void counter_hint(unsigned cpu, uint64_t linear);

/* WALK_PORT. */
void counter_select(uint32_t word);
uint32_t counter_read(void);

#endif
