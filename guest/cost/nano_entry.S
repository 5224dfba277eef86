/* SPDX-License-Identifier: MIT */
/* What the guest's kernel does about exceptions that rows cause. As few instructions as a kernel can have. */
#include <gnomon/x86.h>

#include "cost.h"
#include "nano.h"

#define USED    (PTE_P | PTE_W | PTE_U | PTE_A | PTE_D)
#define FALLING 0x1ff000 /* as map_falling() in nano.c */

	.text
	.globl nano_skip_store, nano_skip_divide, nano_fill, nano_call
nano_skip_store:
	incl nano_faults
	add $8, %rsp			/* the error code */
	addq $NANO_STORE_BYTES, (%rsp)
	iretq

nano_skip_divide:
	incl nano_faults
	addq $NANO_DIV_BYTES, (%rsp)
	iretq

nano_fill:
	incl nano_faults
	push %rax
	push %rcx
	mov %cr2, %rax			/* REGION has no bits in EAX */
	mov %eax, %ecx
	shr $12, %ecx
	and $-4096, %eax
	xor $FALLING, %eax
	add $(COST_FRAMES + USED), %eax
	mov %rax, cost_pt(,%rcx,8)
	pop %rcx
	pop %rax
	add $8, %rsp
	iretq

nano_call:
	incl nano_faults
	.irp reg, rax, rcx, rdx, rsi, rdi, r8, r9, r10, r11
	push %\reg
	.endr
	mov %cr2, %rdi
	call *nano_on_write
	.irp reg, r11, r10, r9, r8, rdi, rsi, rdx, rcx, rax
	pop %\reg
	.endr
	add $8, %rsp
	iretq

	.bss
	.globl nano_faults, nano_on_write
	.balign 8
nano_on_write:
	.skip 8
nano_faults:
	.skip 4
	.section .note.GNU-stack, "", @progbits
