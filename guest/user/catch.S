/* SPDX-License-Identifier: MIT */
#include "syscall.h"

/*
 * void catch_fault(void (*fn)(uint64_t), uint64_t arg, struct fault *ret_fault)
 * After an exception the kernel resumes at label 1. RSP is what SYS_CATCH got, RAX the vector, RDI the error code, RSI
 * CR2, RDX the RIP of the exception. The other registers are lost.
 */
	.text
	.globl catch_fault
catch_fault:
	push %rbx
	push %rbp
	push %r12
	push %r13
	push %r14
	push %r15
	push %rdx
	mov %rdi, %r12
	mov %rsi, %r13
	mov $SYS_CATCH, %eax
	lea 1f(%rip), %rdi
	mov %rsp, %rsi
	int3
	mov %r13, %rdi
	call *%r12
	mov $SYS_CATCH, %eax
	xor %edi, %edi
	int3
	mov $-1, %rax
	xor %edi, %edi
	xor %esi, %esi
	xor %edx, %edx
1:	pop %r8
	mov %rax, (%r8)
	mov %rdi, 8(%r8)
	mov %rsi, 16(%r8)
	mov %rdx, 24(%r8)
	pop %r15
	pop %r14
	pop %r13
	pop %r12
	pop %rbp
	pop %rbx
	ret

	.section .note.GNU-stack, "", @progbits
