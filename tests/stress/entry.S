/* SPDX-License-Identifier: MIT */
/*
 * The entries, the accesses, and the way back. Whatever an access ends in, an exception or nothing, control comes
 * back to the caller of access_kernel() or access_user(): the handler drops the frame and takes the caller's stack.
 */
#include <gnomon/abi.h>
#include <gnomon/x86.h>

#include "stress.h"

/* Vectors for which the CPU pushes an error code, APM2 8.2 */
#define HAS_ERROR_CODE \
	(1 << 8 | 1 << 10 | 1 << 11 | 1 << 12 | 1 << 13 | 1 << 14 | 1 << 17 | 1 << 21 | 1 << 29 | 1 << 30)

	.text
	.globl start, start_other
start:					/* RDI: the device tree */
	mov $areas + AREA_BYTES - TRAP_BYTES, %esp
	call main

start_other:				/* RDI: its struct cpu, RSP: set */
	call main_other

	.macro SAVE
	push %rbx
	push %rbp
	push %r12
	push %r13
	push %r14
	push %r15
	mov %rsp, CPU_CALLER(%rdi)
	movq $NO_VECTOR, CPU_VECTOR(%rdi)
	.endm

	.macro LOAD
	mov %rdi, %r11
	mov CPU_RAX(%r11), %rax
	mov CPU_RCX(%r11), %rcx
	mov CPU_RDX(%r11), %rdx
	mov CPU_RSI(%r11), %rsi
	mov CPU_RDI(%r11), %rdi
	.endm

/* access_kernel(cpu, code) */
	.globl access_kernel
access_kernel:
	SAVE
	mov %rsi, %r9
	cmpq $AC_POPF, CPU_AC(%rdi)
	jb 2f
	ja 1f
	push $RFLAGS_FIXED | RFLAGS_AC
	popfq
	jmp 2f
1:	stac
2:	LOAD
	call *%r9
	mov %rax, CPU_RAX(%r11)
	jmp access_end

/* access_user(cpu, code) */
	.globl access_user
access_user:
	SAVE
	movq $AC_NEVER, CPU_AC(%rdi)
	push $USER_DS
	push $0
	push $RFLAGS_FIXED
	push $USER_CS
	push %rsi
	LOAD
	iretq

	.set vector, 0
	.globl vectors
	.balign 16
vectors:
	.rept 32
	.balign 16
	.if (HAS_ERROR_CODE >> vector & 1) == 0
	push $0
	.endif
	push $vector
	jmp trap
	.set vector, vector + 1
	.endr

trap:
	cld
	mov %rsp, %r11
	and $-AREA_BYTES, %r11
	mov %rax, CPU_RAX(%r11)
	pop CPU_VECTOR(%r11)
	pop CPU_ERROR(%r11)
	pop CPU_RIP(%r11)
access_end:
	mov CPU_CALLER(%r11), %rsp
	cmpq $AC_POPF, CPU_AC(%r11)
	jb 2f
	ja 1f
	push $RFLAGS_FIXED
	popfq
	jmp 2f
1:	clac
2:	pop %r15
	pop %r14
	pop %r13
	pop %r12
	pop %rbp
	pop %rbx
	ret

/*
 * The instructions. RDI: the address, RAX and RDX: operands, RCX: a count, RSI: a source. Each is the first of its
 * OP_BYTES; `\end` leads back. Order: enum op, then the width.
 */
	.macro ONE end, insn:vararg
	.balign OP_BYTES
	\insn
	\end
	.endm

	.macro BINARY end, name:vararg
	ONE \end, \name %dl, (%rdi)
	ONE \end, \name %dx, (%rdi)
	ONE \end, \name %edx, (%rdi)
	ONE \end, \name %rdx, (%rdi)
	.endm

	.macro ACCUMULATOR end, name:vararg
	ONE \end, \name %al, (%rdi)
	ONE \end, \name %ax, (%rdi)
	ONE \end, \name %eax, (%rdi)
	ONE \end, \name %rax, (%rdi)
	.endm

	.macro SUFFIXED end, operands, name:vararg
	ONE \end, \name\()b \operands
	ONE \end, \name\()w \operands
	ONE \end, \name\()l \operands
	ONE \end, \name\()q \operands
	.endm

	/* There are no 8-bit ones. */
	.macro BITS end, name:vararg
	ONE \end, \name %dx, (%rdi)
	ONE \end, \name %dx, (%rdi)
	ONE \end, \name %edx, (%rdi)
	ONE \end, \name %rdx, (%rdi)
	.endm

	.macro INSTRUCTIONS end
	ONE \end, movzbl (%rdi), %eax
	ONE \end, movzwl (%rdi), %eax
	ONE \end, mov (%rdi), %eax
	ONE \end, mov (%rdi), %rax
	BINARY \end, mov
	ACCUMULATOR \end, xchg
	BINARY \end, cmpxchg
	BINARY \end, lock cmpxchg
	BINARY \end, and
	BINARY \end, or
	BINARY \end, xor
	BINARY \end, add
	BINARY \end, sub
	BINARY \end, lock and
	BINARY \end, lock or
	BINARY \end, lock xor
	BINARY \end, lock add
	BINARY \end, lock sub
	SUFFIXED \end, (%rdi), inc
	SUFFIXED \end, (%rdi), dec
	SUFFIXED \end, (%rdi), lock inc
	SUFFIXED \end, (%rdi), lock dec
	ACCUMULATOR \end, lock xadd
	BITS \end, bts
	BITS \end, btr
	BITS \end, lock bts
	BITS \end, lock btr
	SUFFIXED \end, , stos
	SUFFIXED \end, , rep stos
	SUFFIXED \end, , movs
	SUFFIXED \end, , rep movs
	.rept 4
	ONE \end, jmp *%rdi
	.endr
	.balign OP_BYTES
	.endm

	.globl kernel_ops, user_page
	.balign OP_BYTES
kernel_ops:
	INSTRUCTIONS ret

	.data
	.balign 4096
user_page:
	INSTRUCTIONS int3
	.org user_page + SOURCE_OFFSET		/* movs's source, for each CPU */
	.balign 4096

	.bss
	.globl areas
	.balign AREA_BYTES
areas:	.skip MAX_CPUS * AREA_BYTES

	.section .note.GNU-stack, "", @progbits
