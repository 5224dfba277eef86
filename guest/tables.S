/* SPDX-License-Identifier: MIT */
/*
 * The tables that the CPU reads: GDT, IDT, and the page tables of the kernel and of the first process. They are
 * complete at link time.
 *
 *   boot_pml4 [0]   -> first_pdpt  [0]   -> first_pd  [2] -> first_pt    the first process
 *             [1]   -> shared_pdpt                                       shared memory, all processes
 *             [510] -> boot_pml4                                         self-map
 *             [511] -> kernel_pdpt [510] -> kernel_pd [0]                loader's MiB, read-only
 *                                                     [1] -> kernel_pt   the kernel
 *                                                     [512 - NR_CPUS] .. a frame of 2 MiB for each CPU (window.c)
 */
#include <gnomon/x86.h>

#include "layout.h"

/*
 * Entries are accessed and dirty from the start. Nobody here asks for these bits, and a walk then need not write them.
 * And a KVM that shadows these tables maps accessed neighbours of a page that faults together with it.
 */
#define TABLE      (PTE_P | PTE_W | PTE_A)
#define USER_TABLE (PTE_P | PTE_W | PTE_U | PTE_A)
#define CODE       (PTE_P | PTE_A)
#define CONST      (PTE_P | PTE_NX | PTE_A)
#define DATA       (PTE_P | PTE_W | PTE_NX | PTE_A | PTE_D)
#define PHYS(symbol) symbol - KERNEL_PAGE(TABLES_PAGE) + TABLES_PHYS

/* `count` entries for the memory from `at` on */
.macro PTES_AT at, count, flags
	.set page, \at
	.rept \count
	.quad page + (\flags)
	.set page, page + PAGE_BYTES
	.endr
.endm

/* `count` entries for the image's pages from `page` on */
.macro PTES page, count, flags
	PTES_AT IMAGE_PHYS(\page), \count, \flags
.endm

	.section .tables, "aw"
	.globl boot_pml4, kernel_pd, kernel_pt, first_pt, shared_pdpt
	.balign PAGE_BYTES
boot_pml4:
	.quad PHYS(first_pdpt) + USER_TABLE
	.quad PHYS(shared_pdpt) + USER_TABLE
	.fill SELF_SLOT - 2, 8, 0
	.quad PHYS(boot_pml4) + TABLE + PTE_NX
	.quad PHYS(kernel_pdpt) + TABLE

	.balign PAGE_BYTES
kernel_pdpt:
	.fill 510, 8, 0
	.quad PHYS(kernel_pd) + TABLE
	.quad 0

	.balign PAGE_BYTES
kernel_pd:
	.quad 0 + PTE_PS + CONST
	.quad PHYS(kernel_pt) + TABLE
	.fill 510, 8, 0

	.balign PAGE_BYTES
kernel_pt:
	PTES TEXT_PAGE, TEXT_PAGES, CODE
	PTES RODATA_PAGE, RODATA_PAGES, CONST
	PTES DATA_PAGE, DATA_PAGES, DATA
	.set page, IMAGE_PHYS(PERCPU_PAGE)
	.rept NR_CPUS
	.quad page + DATA
	.quad 0
	.quad page + 2 * PAGE_BYTES + DATA
	.quad page + 3 * PAGE_BYTES + DATA
	.set page, page + CPU_BYTES
	.endr
	.fill TABLES_PAGE - PERCPU_PAGE - PERCPU_PAGES, 8, 0
	PTES_AT TABLES_PHYS, TABLES_PAGES, DATA
	.fill 512 - TABLES_PAGE - TABLES_PAGES, 8, 0

	.balign PAGE_BYTES
first_pdpt:
	.quad PHYS(first_pd) + USER_TABLE
	.fill 511, 8, 0

	.balign PAGE_BYTES
first_pd:
	.fill USER_BASE >> 21, 8, 0
	.quad PHYS(first_pt) + USER_TABLE
	.fill 511 - (USER_BASE >> 21), 8, 0

	.balign PAGE_BYTES
first_pt:
	PTES UTEXT_PAGE, UTEXT_PAGES, CODE + PTE_U
	PTES URODATA_PAGE, URODATA_PAGES, CONST + PTE_U
	PTES ULOAD_PAGE, UDATA_PAGES, CONST + PTE_U
	.fill UDATA_AT - ULOAD_AT - UDATA_PAGES, 8, 0
	PTES FIRST_PAGE, UDATA_PAGES, DATA + PTE_U
	.fill USTACK_AT - UDATA_AT - UDATA_PAGES, 8, 0
	PTES FIRST_PAGE + UDATA_PAGES, USTACK_PAGES, DATA + PTE_U
	.fill 512 - USTACK_AT - USTACK_PAGES, 8, 0

	.balign PAGE_BYTES
shared_pdpt:
	.fill 512, 8, 0

	.data
	.balign 16
/* In writable memory because LTR sets the busy bit of its descriptor. */
	.globl gdt
gdt:
	.quad 0
	.quad 0x00af9b000000ffff	/* KERNEL_CS: 64-bit code */
	.quad 0x00cf93000000ffff	/* KERNEL_DS */
	.quad 0x00affb000000ffff	/* USER_CS: 64-bit code, DPL 3 */
	.quad 0x00cff3000000ffff	/* USER_DS: DPL 3 */
	.quad 0, 0, 0
	.set tss, CPU_AREA(0)
	.rept NR_CPUS			/* APM2 4.8.3: available 64-bit TSS */
	.quad (TSS_BYTES - 1) | (tss & 0xffffff) << 16 | 0x89 << 40 | (tss >> 24 & 0xff) << 56
	.quad tss >> 32 & 0xffffffff
	.set tss, tss + CPU_BYTES
	.endr

	.section .rodata.tables, "a"
	.globl gdt_pointer, idt_pointer, empty_idt_pointer
	.balign 16
/* APM2 4.8.4: interrupt gates; the stubs of entry.S stand 16 bytes apart at the start of the text. */
idt:
	.set vector, 0
	.rept NR_VECTORS
	.set stub, KERNEL_PAGE(TEXT_PAGE) + 16 * vector
	.if vector == VEC_BP || vector == VEC_OF
	.set type, 0xee00		/* DPL 3 */
	.elseif vector == VEC_DF
	.set type, 0x8e01		/* IST 1 */
	.else
	.set type, 0x8e00
	.endif
	.quad (stub & 0xffff) | KERNEL_CS << 16 | type << 32 | (stub >> 16 & 0xffff) << 48
	.quad stub >> 32 & 0xffffffff
	.set vector, vector + 1
	.endr
gdt_pointer:
	.short GDT_BYTES - 1
	.quad gdt
idt_pointer:
	.short NR_VECTORS * 16 - 1
	.quad idt
empty_idt_pointer:
	.short 0
	.quad 0

	.section .note.GNU-stack, "", @progbits
