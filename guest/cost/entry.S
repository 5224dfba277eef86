/* SPDX-License-Identifier: MIT */
/* The way in, and the way from CPL 3 to CPL 0 and back: INT3 with a function in RAX, its argument in RDI. */
#include <gnomon/abi.h>
#include <gnomon/x86.h>

#include "cost.h"

#define USER_CS 0x1b
#define USER_DS 0x23
#define TSS     0x40
#define PORTS   0x620 /* that CPL 3 may use: all of Gnomon's */
#define TSS_BYTES (104 + PORTS / 8 + 1)

	.text
	.globl entry
entry:					/* RDI: the device tree */
	mov $cost_pml4, %eax
	mov %rax, %cr3
	mov $kernel_stack_top, %rsp
	mov $tss, %eax			/* APM2 4.8.3: its address is spread over the descriptor */
	mov %ax, gdt + TSS + 2
	shr $16, %eax
	mov %al, gdt + TSS + 4
	mov %ah, gdt + TSS + 7
	lgdt gdt_pointer
	mov $TSS, %eax
	ltr %ax
	mov $VEC_BP, %ecx
	mov $breakpoint, %edx
	mov $0xee, %r8d			/* DPL 3 */
	call set_gate
	mov $COST_VECTOR, %ecx
	mov $interrupt, %edx
	mov $0x8e, %r8d
	call set_gate
	mov $crashed, %edx
	.irp vector, VEC_DE, VEC_UD, VEC_DF, VEC_TS, VEC_NP, VEC_SS, VEC_GP, VEC_PF
	mov $\vector, %ecx
	call set_gate
	.endr
	lidt idt_pointer
	push $USER_DS
	push $user_stack_top
	push $(RFLAGS_FIXED | RFLAGS_IOPL)
	push $USER_CS
	push $cost_main
	iretq

/* ECX vector, EDX handler, R8B type (APM2 4.8.4) */
set_gate:
	shl $4, %ecx
	mov %edx, %eax
	mov %ax, cost_idt(%rcx)
	movw $GNOMON_BOOT_CS, cost_idt + 2(%rcx)
	mov %r8b, cost_idt + 5(%rcx)
	shr $16, %eax
	mov %ax, cost_idt + 6(%rcx)
	ret

breakpoint:
	test %rax, %rax
	jz 1f
	call *%rax
1:	iretq

interrupt:
	incl cost_interrupts
	iretq

crashed:
	mov $COST_CRASHED, %al
	out %al, $GNOMON_PORT_EXIT
1:	pause
	jmp 1b

	.data
	.balign 16
gdt:	.quad 0
	.quad 0x00af9b000000ffff	/* GNOMON_BOOT_CS: 64-bit code */
	.quad 0x00cf93000000ffff	/* GNOMON_BOOT_DS */
	.quad 0x00affb000000ffff	/* USER_CS: 64-bit code, DPL 3 */
	.quad 0x00cff3000000ffff	/* USER_DS: DPL 3 */
	.quad 0, 0, 0
	.quad (TSS_BYTES - 1) | 0x89 << 40, 0 /* TSS: 64-bit, available */
gdt_pointer:
	.word gdt_pointer - gdt - 1
	.quad gdt
idt_pointer:
	.word 256 * 16 - 1
	.quad cost_idt
	.balign 16
tss:	.long 0
	.quad kernel_stack_top
	.skip 102 - 12
	.word 104			/* the I/O map: a host may lose IOPL in IRETQ (kvm_pvm) */
	.skip PORTS / 8
	.byte 0xff

	.bss
	.balign 4096
	.skip 8192
user_stack_top:
	.skip 8192
kernel_stack_top:
	.section .note.GNU-stack, "", @progbits
