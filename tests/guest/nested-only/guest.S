/* SPDX-License-Identifier: MIT */
/*
 * Keeps what nested mode asks of a guest, but not what shadow mode does. SELECTOR is loaded, by a GDT that has segments
 * at 0x28 and 0x30, or CODE_32 is run, or with SLOT_508 the PML4 entry is in use that belongs to Gnomon there. Counts
 * for ever, and leaves the guest each time; with PROGRAM_SPINS it never does. That alone suits both modes.
 */
#ifdef PROGRAM_SPINS
#include "program.inc"
#else
#include "guest.inc"
#endif
#define CODE_32_CS 0x18

#if defined(SELECTOR) || defined(CODE_32)
	.data
	.balign 8
large_gdt:
	.quad 0, 0x00af9b000000ffff, 0x00cf93000000ffff, 0x00cf9b000000ffff, 0
#ifdef SELECTOR
	.quad 0x00cff3000000ffff, 0x00cff3000000ffff
#endif
large_gdt_pointer:
	.word large_gdt_pointer - large_gdt - 1
	.quad large_gdt
#endif
#ifdef SLOT_508
	.bss
	.balign 4096
table:	.skip 4096
#endif
	.text

start:
#if defined(SELECTOR) || defined(CODE_32)
	lgdt large_gdt_pointer
#endif
#ifdef SELECTOR
	mov $SELECTOR, %eax
	mov %eax, %es
#endif
#ifdef SLOT_508
	mov %cr3, %rax
	movq $(table + PTE_P + PTE_W), 508 * 8(%rax)
#endif
#ifdef PROGRAM_SPINS
	PREPARE_PROGRAM
#endif
#ifdef CODE_32
	mov $stack_top, %esp
	pushq $CODE_32_CS
	pushq $1f
	lretq
	.code32
1:
#endif
	PRINT text /* behind what it announces: whoever reads it may ask at once */
#ifdef PROGRAM_SPINS
	pushq $USER_DS
	movabs $AT(program_stack_top), %rax
	push %rax
	pushq $2
	pushq $USER_CS
	movabs $AT(1f), %rax
	push %rax
	iretq
1:	jmp 1b
#endif
1:	mov $GNOMON_PORT_NOP, %dx
	out %eax, %dx
	jmp 1b

	.data
text:	.ascii "counting\n"
text_end:
