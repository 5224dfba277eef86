/* SPDX-License-Identifier: MIT */
/* The ways in: the boot CPU's, the other CPU's, and that of interrupts. */
#include <gnomon/abi.h>
#include <gnomon/x86.h>

	.text
	.globl start, other_cpu
start:					/* RDI: the device tree */
	mov $stack_top, %esp
	call tables
	call guest_main
other_cpu:				/* RDI: what it runs; RSP is set */
	call tables
	jmp *%rdi

tables:	lgdt gdt_pointer
	mov $GNOMON_BOOT_DS, %eax
	mov %eax, %ss
	mov %eax, %ds
	mov %eax, %es
	mov $interrupt, %eax
	mov %ax, idt + 16 * 32
	movw $GNOMON_BOOT_CS, idt + 16 * 32 + 2
	movb $0x8e, idt + 16 * 32 + 5
	shr $16, %eax
	mov %ax, idt + 16 * 32 + 6
	lidt idt_pointer
	ret

interrupt:
	incl interrupts
	iretq

	.data
	.balign 16
gdt:	.quad 0
	.quad 0x00af9b000000ffff	/* GNOMON_BOOT_CS: 64-bit code */
	.quad 0x00cf93000000ffff	/* GNOMON_BOOT_DS */
gdt_pointer:
	.word gdt_pointer - gdt - 1
	.quad gdt
idt_pointer:
	.word 33 * 16 - 1
	.quad idt

	.bss
	.balign 4096
	.globl other_stack_top
idt:	.skip 33 * 16
	.balign 4096
	.skip 16384
stack_top:
	.skip 16384
other_stack_top:
	.section .note.GNU-stack, "", @progbits
