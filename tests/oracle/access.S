/* SPDX-License-Identifier: MIT */
/*
 * The entry, the accesses, and the way back. Whatever an access ends in, an exception or nothing, control comes back
 * to the caller of access_kernel() or access_user(): the handler drops the frame and takes the caller's stack.
 */
#include <gnomon/abi.h>
#include <gnomon/x86.h>

#include "oracle.h"

/* Vectors for which the CPU pushes an error code, APM2 8.2 */
#define HAS_ERROR_CODE \
	(1 << 8 | 1 << 10 | 1 << 11 | 1 << 12 | 1 << 13 | 1 << 14 | 1 << 17 | 1 << 21 | 1 << 29 | 1 << 30)

	.text
	.globl start
start:					/* RDI: the device tree */
	mov $stack_top, %esp
	call main

	.macro SAVE
	push %rbx
	push %rbp
	push %r12
	push %r13
	push %r14
	push %r15
	mov %rsp, caller_stack
	movq $NO_VECTOR, trapped_vector
	.endm

/* access_kernel(kind, address, value) */
	.globl access_kernel, access_kernel_read, access_kernel_write
access_kernel:
	SAVE
	mov %rdx, %rcx
	cmp $1, %edi
	je access_kernel_write
	ja 2f
access_kernel_read:
	mov (%rsi), %rcx
	jmp access_end
access_kernel_write:
	mov %rcx, (%rsi)
	jmp access_end
2:	call *%rsi
	jmp access_end

/* access_user(code, address, value) */
	.globl access_user
access_user:
	SAVE
	mov %rdx, %rcx
	push $USER_DS
	push $0
	push $RFLAGS_FIXED
	push $USER_CS
	push %rdi
	iretq

/* access_state(code, address, flags, user): code that ends in a jump to RBX */
	.globl access_state
access_state:
	SAVE
	mov $GNOMON_BOOT_DS, %eax
	test %ecx, %ecx
	mov %rdx, %rcx
	jnz 1f
	mov $access_end, %ebx
	push %rcx
	popfq
	jmp *%rdi
1:	movabs $USER_VA + user_end - user_read, %rbx
	push $USER_DS
	push $0
	push %rcx
	push $USER_CS
	push %rdi
	iretq

	.set vector, 0
	.globl vectors
	.balign 16
vectors:
	.rept 33
	.balign 16
	.if (HAS_ERROR_CODE >> vector & 1) == 0
	push $0
	.endif
	push $vector
	jmp trap
	.set vector, vector + 1
	.endr

trap:
	cmpq $0, caller_stack
	je stray
	pop trapped_vector
	pop trapped_error
	pop trapped_rip
access_end:
	mov %rcx, trapped_rcx
	mov caller_stack, %rsp
	movq $0, caller_stack
	pop %r15
	pop %r14
	pop %r13
	pop %r12
	pop %rbp
	pop %rbx
	ret

/* An exception outside an access: going on would compare the last case with itself. */
stray:	pop %rdi
	pop %rsi
	pop %rdx
	call trapped_astray

/* One access that would raise #AC at CPL 3 with CR0.AM; at CPL 0 EFLAGS.AC has no such meaning. */
	.globl read_unaligned
read_unaligned:
	stac
	mov -7(%rsp), %rax
	clac
	ret

/* What CPL 3 runs, on a page of its own. RSI: the address, RCX: what to write or what was read. */
	.globl user_read, user_write, user_fetch
	.balign 4096
user_read:
	mov (%rsi), %rcx
	int3
	.balign 16
user_write:
	mov %rcx, (%rsi)
	int3
	.balign 16
user_fetch:
	jmp *%rsi

	/* What states.c runs, at either level. `behind_`: behind the instruction that the case is about. */
	.set STEP, RFLAGS_FIXED | RFLAGS_TF
	.macro STATE name, insn
	.balign 16
	.globl state_\name, behind_\name
state_\name:
	\insn
behind_\name:
	nop
	jmp *%rbx
	.endm
user_end:
	int3
	STATE x87, "fnop"
	STATE wait, "fwait"
	STATE mmx, "pxor %mm0, %mm0"
	STATE sse, "xorps %xmm0, %xmm0"
	STATE avx, "vxorps %xmm0, %xmm0, %xmm0"
	STATE read, "mov (%rsi), %rcx"
	STATE write, "mov %rcx, (%rsi)"
	STATE nop, "sti; nop"
	STATE store, "sti; mov %rcx, (%rsi)"
	STATE unknown, "sti; xorps %xmm0, %xmm0"
	STATE cli, "sti; cli"
	STATE sti, "sti; sti"
	STATE step, "push $STEP; popfq; nop"
	STATE step_ss, "push $STEP; popfq; mov %eax, %ss; nop"
	STATE step_ss_unknown, "push $STEP; popfq; mov %eax, %ss; xorps %xmm0, %xmm0"
	STATE watch, "mov (%rsi), %cx"
	STATE watch_ss, "mov (%rsi), %ss; nop"
	STATE drain, "sti; nop"
	STATE set_cr4, "mov %rsi, %cr4"
	STATE set_xcr0, "mov %esi, %eax; xor %ecx, %ecx; xor %edx, %edx; xsetbv"
	.balign 4096

	.data
	.globl gdt, trapped_vector, trapped_error, trapped_rip, trapped_rcx, trap_stack
	.balign 16
gdt:	.quad 0, 0x00af9b000000ffff, 0x00cf93000000ffff	/* GNOMON_BOOT_CS, GNOMON_BOOT_DS */
	.quad 0x00affb000000ffff, 0x00cff3000000ffff	/* USER_CS, USER_DS */
	.quad 0, 0					/* TSS: its base is filled in */
trapped_vector: .quad 0
trapped_error:	.quad 0
trapped_rip:	.quad 0
trapped_rcx:	.quad 0
caller_stack:	.quad 0

	.bss
	.balign 16
	.skip 8192
stack_top:
	.skip 4096
trap_stack:				/* its end: RSP0 */

	.section .note.GNU-stack, "", @progbits
