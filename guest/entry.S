/* SPDX-License-Identifier: MIT */
/*
 * The ways into the kernel: boot, start of another CPU, exceptions, interrupts. And the way out to a program, except
 * the start of the first one. From CPL 3 the CPU pushes straight into the process's struct frame, whose end is
 * TSS.rsp0. The other registers follow. Then the kernel switches to the CPU's own stack, whose address stands just
 * behind the frame. From CPL 0 the frame stays on the stack in use.
 */
#include <gnomon/x86.h>

#include "layout.h"

/* Vectors for which the CPU pushes an error code, APM2 8.2 */
#define HAS_ERROR_CODE \
	(1 << 8 | 1 << 10 | 1 << 11 | 1 << 12 | 1 << 13 | 1 << 14 | 1 << 17 | 1 << 21 | 1 << 29 | 1 << 30)

	.section .text.vectors, "ax"
	.set vector, 0
	.rept NR_VECTORS
	.balign 16
	.if (HAS_ERROR_CODE >> vector & 1) == 0
	push $0
	.endif
	push $vector
	jmp trap_entry
	.set vector, vector + 1
	.endr

	.org CPU_ENTRY - KERNEL_PAGE(TEXT_PAGE)
cpu_entry:				/* RDI: this CPU's struct cpu, RSP: its stack */
	lgdt gdt_pointer
	lidt idt_pointer
	mov %rdi, %rax
	sub $CPU_AREA(0), %rax
	shr $10, %rax			/* CPU number times 16 */
	add $TSS_SELECTOR(0), %eax
	ltr %ax
	xor %ebp, %ebp
	call cpu_main
	jmp trap_return

	.text
	.globl entry
entry:					/* RDI: the device tree */
	mov $BOOT_PML4_PHYS, %eax
	mov %rax, %cr3
	mov $CPU_STACK_TOP(0), %rsp
	lgdt gdt_pointer
	lidt idt_pointer
	mov $TSS_SELECTOR(0), %eax
	ltr %ax
	xor %ebp, %ebp
	call proc_first
	mov %rax, %rdi			/* all else is zero still, or again: popping its frame would cost more */
	xor %eax, %eax
	xor %ecx, %ecx
	xor %edx, %edx
	xor %esi, %esi
	xor %r8d, %r8d
	xor %r9d, %r9d
	xor %r10d, %r10d
	xor %r11d, %r11d
	mov $procs + FRAME_RIP, %rsp
	iretq

trap_entry:
	push %rax
	push %rbx
	push %rcx
	push %rdx
	push %rsi
	push %rdi
	push %rbp
	push %r8
	push %r9
	push %r10
	push %r11
	push %r12
	push %r13
	push %r14
	push %r15
	mov %rsp, %rdi
	xor %ebp, %ebp
	testb $3, FRAME_CS(%rsp)
	jz 1f
	mov FRAME_BYTES(%rsp), %rsp
	call trap_user
	jmp trap_return
1:	call trap_kernel

trap_return:				/* RAX: the frame to go on with */
	mov %rax, %rsp
	pop %r15
	pop %r14
	pop %r13
	pop %r12
	pop %r11
	pop %r10
	pop %r9
	pop %r8
	pop %rbp
	pop %rdi
	pop %rsi
	pop %rdx
	pop %rcx
	pop %rbx
	pop %rax
	add $16, %rsp			/* vector and error code */
	iretq

	.section .note.GNU-stack, "", @progbits
