/* SPDX-License-Identifier: MIT */
/* Page tables: all memory and the devices at their own address, and REGION. The IDT, which entry.S fills. */
#include <gnomon/abi.h>
#include <gnomon/x86.h>

#include "cost.h"

#define DEVICES GNOMON_VIRTIO_BASE
#define ALL     (PTE_P | PTE_W | PTE_U | PTE_A)

	.data
	.balign 4096
	.globl cost_pml4, cost_pd, cost_pt, cost_idt
cost_pml4:
	.rept 2
	.quad low_pdpt + ALL, region_pdpt + ALL
	.fill 510, 8, 0
	.endr
low_pdpt:
	.quad low_pd + ALL
	.fill DEVICES / 0x40000000 - 1, 8, 0
	.quad device_pd + ALL
	.fill 511 - DEVICES / 0x40000000, 8, 0
device_pd:
	.fill DEVICES % 0x40000000 / 0x200000, 8, 0
	.quad DEVICES + (ALL | PTE_D | PTE_PS)
	.fill 511 - DEVICES % 0x40000000 / 0x200000, 8, 0
low_pd:
	.set page, 0
	.rept COST_MEMORY / 0x200000
	.quad page + (ALL | PTE_D | PTE_PS)
	.set page, page + 0x200000
	.endr
	.fill 512 - COST_MEMORY / 0x200000, 8, 0
region_pdpt:
	.quad cost_pd + ALL
	.fill 511, 8, 0
cost_pd:
	.set table, 0
	.rept COST_TABLES
	.quad cost_pt + table + ALL
	.set table, table + 4096
	.endr
	.fill 512 - COST_TABLES, 8, 0

	.bss
	.balign 4096
cost_pt:
	.skip COST_TABLES * 4096
cost_idt:
	.skip 256 * 16
	.section .note.GNU-stack, "", @progbits
