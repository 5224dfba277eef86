/* SPDX-License-Identifier: MIT */
/*
 * Keeps what nested mode asks of a guest, but not what shadow mode does: SELECTOR is loaded, or with SLOT_508 the PML4
 * entry in use that belongs to Gnomon there. Counts for ever, and leaves the guest each time.
 */
#include "guest.inc"

#ifdef SELECTOR
	.data
	.balign 8
large_gdt:
	.quad 0, 0x00af9b000000ffff, 0x00cf93000000ffff, 0, 0, 0x00cff3000000ffff, 0x00cff3000000ffff
large_gdt_pointer:
	.word large_gdt_pointer - large_gdt - 1
	.quad large_gdt
	.text
#else
	.bss
	.balign 4096
table:	.skip 4096
	.text
#endif

start:
#ifdef SELECTOR
	lgdt large_gdt_pointer
	mov $SELECTOR, %eax
	mov %eax, %es
#else
	mov %cr3, %rax
	movq $(table + PTE_P + PTE_W), 508 * 8(%rax)
#endif
	PRINT text
1:	mov $GNOMON_PORT_NOP, %dx
	out %eax, %dx
	jmp 1b

	.data
text:	.ascii "counting\n"
text_end:
