/* SPDX-License-Identifier: MIT */
/*
 * A guest whose walks have lengths that are known by construction: it reads TOUCHES pages between the marks of the walk
 * counter, each through tables of its own. One word says how they are mapped:
 *
 *   4k, 2m, 1g            leaves of that size
 *   absent 1 ... absent 4 nothing: the entry at that level is not present (4: the PML4's)
 *   fresh                 as 4k, memory that nobody touched: the second stage has nothing there at first
 */
#include <gnomon/abi.h>
#include <gnomon/addr.h>
#include <gnomon/walk_counter.h>
#include <gnomon/x86.h>

#include "../../guest/fdt.h"
#include "bare.h"
#include "lengths.h"

#define ARENA   0x8000000000ull /* PML4 slot 1 */
#define FIRST   0x400000ull     /* guest physical: the pages that are read */
#define LEAF    (PTE_P | PTE_W | PTE_A | PTE_D)
#define BETWEEN (PTE_P | PTE_W | PTE_A)

static uint64_t pdpt[512] __attribute__((aligned(4096))), pd[512] __attribute__((aligned(4096))),
    pt[512] __attribute__((aligned(4096)));
static uint64_t gdt[3] = {0, 0x00209b0000000000, 0x0000930000000000}; /* GNOMON_BOOT_CS, GNOMON_BOOT_DS */
static uint64_t idt[32] __attribute__((aligned(16)));

struct pointer {
	uint16_t limit;
	uint64_t base;
} __attribute__((packed));

void main(const struct fdt *fdt) __attribute__((noreturn));
void denied(void);

static uint64_t address_of(const void *p)
{
	return (uintptr_t)p; /* mapped where it lies */
}

static void catch_page_faults(void)
{
	const struct pointer g = {sizeof(gdt) - 1, address_of(gdt)}, i = {sizeof(idt) - 1, address_of(idt)};
	const uint64_t to = address_of(denied);

	idt[28] = (to & 0xffff) | GNOMON_BOOT_CS << 16 | 0x8eull << 40 | (to & 0xffff0000) << 32;
	idt[29] = to >> 32;
	__asm__ volatile("lgdt %0; lidt %1" : : "m"(g), "m"(i));
}

/* Hangs the tables below the boot tables' PML4, down to the leaves of `level`, or to where nothing is. */
static void map(unsigned level, unsigned absent)
{
	uint64_t *pml4;

	__asm__ volatile("mov %%cr3, %0" : "=r"(pml4));
	for (uint64_t i = 0; i < 512; i++) {
		pt[i] = absent == 1 ? 0 : (FIRST + i * 4096) | LEAF;
		pd[i] = level == 2 && absent == 0 ? (FIRST + i * PAGE_2M) | LEAF | PTE_PS : 0;
	}
	if (level == 1 && absent < 2)
		pd[0] = address_of(pt) | BETWEEN;
	if (absent < 3)
		pdpt[0] = level == 3 ? LEAF | PTE_PS : address_of(pd) | BETWEEN;
	if (absent < 4)
		pml4[1] = address_of(pdpt) | BETWEEN;
}

static void touch(uint64_t from)
{
	uint8_t byte;

	for (uint64_t i = 0; i < LENGTHS_TOUCHES; i++)
		__asm__ volatile("movb (%1), %0" : "=a"(byte) : "S"(from + i * 4096) : "memory");
}

static void flush(void)
{
	uint64_t cr3;

	__asm__ volatile("mov %%cr3, %0; mov %0, %%cr3" : "=r"(cr3) : : "memory");
}

void main(const struct fdt *fdt)
{
	uint32_t len;
	const char *args = fdt_property(fdt, FDT_NAME("chosen"), FDT_NAME("bootargs"), &len);
	unsigned level = 1, absent = 0;
	bool fresh = false;
	uint64_t from = ARENA;

	if (take_word(&args, "2m"))
		level = 2;
	else if (take_word(&args, "1g"))
		level = 3, from += FIRST;
	else if (take_word(&args, "fresh"))
		fresh = true;
	else if (take_word(&args, "absent"))
		absent = take_number(&args);
	else if (!take_word(&args, "4k"))
		end(2);
	catch_page_faults();
	map(level, absent);
	if (!fresh)
		touch(from);
	flush();
	walk_start((void *)from, LENGTHS_TOUCHES * 4096);
	touch(from);
	walk_stop();
	end(0);
}
