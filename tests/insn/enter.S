/* SPDX-License-Identifier: MIT */
/* Into a case and out of it, the program's side. Position-independent: in the guest and in the checker. */
#include "insn.h"

	.text
	.globl enter_case, resume, service, service_end, current, saved_rsp
/* enter_case(case, fpu, xfeatures). The flags are the case's before it begins, but for TF: that is for `how` to say. */
enter_case:
	push %rbx
	push %rbp
	push %r12
	push %r13
	push %r14
	push %r15
	mov %rsp, saved_rsp(%rip)
	mov %rdi, current(%rip)
	mov %rdx, saved_xfeatures(%rip)
	test %rdx, %rdx
	jz 1f
	mov %edx, %eax
	xor %edx, %edx
	xrstor64 (%rsi)
	jmp 2f
1:	fxrstor64 (%rsi)
2:	testl $2, CASE_HOW(%rdi)	/* HOW_ENTER */
	jz 3f
	pushq CASE_RFLAGS(%rdi)		/* NT and ID: signals do not hand them on */
	andq $~0x100, (%rsp)
	popfq
	mov $SERVICE_ENTER, %edi
	jmp service
3:	mov CASE_RSP(%rdi), %rax
	mov %rax, go_rsp(%rip)
	mov CASE_RIP(%rdi), %rax
	mov %rax, go_rip(%rip)
	mov %rdi, %rsp			/* nothing is pushed from here on */
	pop %rax
	pop %rcx
	pop %rdx
	pop %rbx
	lea 8(%rsp), %rsp
	pop %rbp
	pop %rsi
	pop %rdi
	pop %r8
	pop %r9
	pop %r10
	pop %r11
	pop %r12
	pop %r13
	pop %r14
	pop %r15
	popfq
	mov go_rsp(%rip), %rsp
	jmp *go_rip(%rip)

/* Here the kernel lets the program go on after the case's exception, with RSP = saved_rsp and plain flags. */
resume:
	pushq $0x202
	popfq
	lea saved_fpu(%rip), %rsi
	mov saved_xfeatures(%rip), %rax
	test %rax, %rax
	jz 1f
	xor %edx, %edx
	xsave64 (%rsi)
	jmp 2f
1:	fxsave64 (%rsi)
2:	pop %r15
	pop %r14
	pop %r13
	pop %r12
	pop %rbp
	pop %rbx
	ret

/* service(number, a, b) */
service:
	mov %edi, %eax
	mov %rsi, %rdi
	mov %rdx, %rsi
	int3
service_end:
	ret

/* try_xgetbv(): XCR0. The kernel goes on at no_xgetbv when the CPU refuses it; what CPUID says is not always true. */
	.globl try_xgetbv, asks_xgetbv, no_xgetbv
try_xgetbv:
	xor %ecx, %ecx
asks_xgetbv:
	xgetbv
	shl $32, %rdx
	or %rdx, %rax
	ret
no_xgetbv:
	xor %eax, %eax
	ret

	.bss
	.globl trapped, saved_fpu
	.balign 64
saved_fpu: .skip FPU_BYTES
trapped: .skip 208
current: .skip 8
saved_rsp: .skip 8
saved_xfeatures: .skip 8
go_rsp:	.skip 8
go_rip:	.skip 8

	.section .note.GNU-stack, "", @progbits
