/* SPDX-License-Identifier: MIT */
/*
 * Rows of `gnomon bench --only nano`: single instructions and exceptions, by the names of Adams & Agesen (ASPLOS 2006);
 * and what an operating system does to the tables of one address space. nano_spaces.c has several.
 */
#include "nano.h"

#include <gnomon/abi.h>
#include <gnomon/x86.h>

#include "cost.h"

#define PAGE    4096ull
#define USED    (PTE_P | PTE_W | PTE_U | PTE_A | PTE_D)
#define ENTRIES 512

void nano_handle(unsigned vector, void (*handler)(void))
{
	const uint64_t at = (uint64_t)handler, offset = (at & 0xffff) | (at >> 16 & 0xffff) << 48;

	cost_idt[vector][0] = (cost_idt[vector][0] & 0x0000ffffffff0000ull) | offset; /* APM2 4.8.4 */
}

/* NANO_STORE_BYTES long. */
static inline void store(uint64_t at)
{
	__asm__ volatile("movb $1, (%%rax)" : : "a"(at) : "memory");
}

static inline uint64_t page(uint64_t n)
{
	return COST_REGION + n * PAGE;
}

void run_in(uint32_t from, uint32_t n)
{
	for (; n; n -= 8)
		__asm__ volatile(".rept 8\n\tin %%dx, %%al\n\t.endr" : : "d"(GNOMON_PORT_NOP) : "rax");
}

/* The value stays the same: a lower one would be of interest to an interrupt controller. */
void run_cr8wr(uint32_t from, uint32_t n)
{
	for (; n; n -= 8)
		__asm__ volatile(".rept 8\n\tmov %0, %%cr8\n\t.endr" : : "r"(0ull));
}

/* In one line of the cache, where a process has it, too. */
void run_callret(uint32_t from, uint32_t n)
{
	for (; n; n -= 8)
		__asm__ volatile(".p2align 6\n\t.rept 8\n\tcall 1f\n\t.endr\n\tjmp 2f\n1:\tret\n2:" : : : "memory");
}

/* The table of page 0 is in use, the page itself is not there. */
void prepare_pgfault(uint32_t most)
{
	cost_map_falling(1, USED);
	cost_pt[0][0] = 0;
	store(page(1));
	nano_handle(VEC_PF, nano_skip_store);
}

void prepare_protfault(uint32_t most)
{
	cost_map_falling(1, USED);
	cost_pt[0][0] &= ~PTE_W;
	*(volatile uint8_t *)page(0);
	nano_handle(VEC_PF, nano_skip_store);
}

void run_store(uint32_t from, uint32_t n)
{
	for (; n; n--)
		store(page(0));
}

void prepare_divzero(uint32_t most)
{
	nano_handle(VEC_DE, nano_skip_divide);
}

void run_divzero(uint32_t from, uint32_t n)
{
	uint32_t a = 1, d = 0;

	for (; n; n--)
		__asm__ volatile("div %%ecx" : "+a"(a), "+d"(d) : "c"(0) : "cc");
}

bool check_faults(uint32_t n)
{
	return nano_faults == n;
}

/* Page 0 of each table puts the table in use. The others are not there. */
void prepare_fill(uint32_t most)
{
	cost_map_falling((most + NANO_FILLS - 1) / NANO_FILLS, USED);
	for (uint32_t i = 0; i < most; i++)
		cost_pt[i / NANO_FILLS][1 + i % NANO_FILLS] = 0;
	for (uint32_t i = 0; i < most; i += NANO_FILLS)
		store(page(i / NANO_FILLS * ENTRIES));
	nano_handle(VEC_PF, nano_fill);
}

void run_fill(uint32_t from, uint32_t n)
{
	for (uint32_t i = from; i < from + n; i++)
		store(page(i / NANO_FILLS * ENTRIES + 1 + i % NANO_FILLS));
}

/* A leaf table for each, which has its range in use and more pages behind it. */
void prepare_ranges(uint32_t most)
{
	cost_map_falling(most, USED);
	for (uint32_t i = 0; i < most; i++)
		for (uint32_t n = 0; n < NANO_RANGE; n++)
			store(page(i * ENTRIES + n));
}

static void flush(void)
{
	__asm__ volatile("mov %0, %%cr3" : : "r"(cost_pml4[0]) : "memory");
}

/* At CPL 0, as the next one. */
static void clear(void *arg)
{
	uint64_t *entry = arg;

	for (uint32_t left = NANO_RANGE; left; left -= 8)
		__asm__ volatile(".rept 8\n\tmov %1, (%0)\n\tadd $8, %0\n\t.endr" : "+r"(entry) : "r"(0ull) : "memory");
	flush();
}

static void make_read_only(void *arg)
{
	uint64_t *entry = arg;

	for (uint32_t left = NANO_RANGE; left; left -= 8)
		__asm__ volatile(".rept 8\n\tandq %1, (%0)\n\tadd $8, %0\n\t.endr"
		                 : "+r"(entry)
		                 : "i"(~(int64_t)PTE_W)
		                 : "memory");
	flush();
}

static void change(uint32_t from, uint32_t n, void (*how)(void *entries))
{
	for (uint32_t i = from; i < from + n; i++) {
		cost_at_cpl0(how, cost_pt[i]);
		store(page(i * ENTRIES + NANO_RANGE));
	}
}

void run_munmap(uint32_t from, uint32_t n)
{
	change(from, n, clear);
}

void run_mprotect(uint32_t from, uint32_t n)
{
	change(from, n, make_read_only);
}

/* All entries, and how they act at the ends of the first range: as many faults as that whatever `n` is. */
bool check_ranges(uint32_t n)
{
	bool good = true;

	for (uint32_t i = 0; i < COST_TABLES; i++)
		for (uint32_t e = 0; e < NANO_RANGE; e++)
			good &= i >= n || !(cost_pt[i][e] & PTE_W);
	nano_handle(VEC_PF, nano_skip_store);
	store(page(0));
	store(page(NANO_RANGE - 1));
	return good && nano_faults == 2;
}
