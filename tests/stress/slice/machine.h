/* SPDX-License-Identifier: MIT */
/* What a vCPU of the guest has for itself. */
#ifndef TESTS_STRESS_SLICE_MACHINE_H
#define TESTS_STRESS_SLICE_MACHINE_H

#define USER_CS         0x1b
#define USER_DS         0x23
#define TSS             0x28
#define AREA_BYTES      0x4000 /* aligned to that; the end is its kernel's stack */
#define AREA_USER_STACK 0x2000 /* offset of its end */
#define AREA_PORTS      0x610  /* that CPL 3 may use: all of Gnomon's */

#ifndef __ASSEMBLER__
#include <stdint.h>

struct fdt;

struct area {
	uint64_t cpu;
	uint64_t gdt[7];
	uint8_t tss[104 + AREA_PORTS / 8 + 1];
};

/* At CPL 0. */
void boot(const struct fdt *fdt);
void area_init(struct area *area);

/* At CPL 3. */
void hammer(const struct area *area) __attribute__((noreturn));
void probe(uint64_t *attempts, uint64_t *slice) __attribute__((noreturn)); /* entry.S */

/* `n` times the cheapest trap; the ticks that the median took. */
uint64_t time_floor(void);
#endif

#endif
