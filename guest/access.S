/* SPDX-License-Identifier: MIT */
/*
 * The only kernel instructions that may touch memory named by a program. Each function is a leaf and has nothing on its
 * stack. When one faults, trap_kernel() makes it return -EFAULT and notes the fault in struct cpu.
 */
#include <gnomon/abi.h>

	.text
	.globl access_begin, access_end, access_failed
access_begin:

/* long access_out(const void *buf, size_t len): to the console */
	.globl access_out
access_out:
	mov %rsi, %rcx
	mov %rdi, %rsi
	mov $GNOMON_PORT_SERIAL, %edx
	rep outsb
	xor %eax, %eax
	ret

/* long access_string(char *to, const char *from, size_t size): bytes copied before the NUL, or `size` without one */
	.globl access_string
access_string:
	xor %ecx, %ecx
1:	cmp %rdx, %rcx
	je 2f
	mov (%rsi,%rcx), %al
	mov %al, (%rdi,%rcx)
	inc %rcx
	test %al, %al
	jnz 1b
	dec %rcx
2:	mov %rcx, %rax
	ret

/* long access_read(va), access_write(va) (of a zero byte), access_fetch(va): 0 if there was no fault */
	.globl access_read
access_read:
	mov (%rdi), %al
	xor %eax, %eax
	ret
	.globl access_write
access_write:
	movb $0, (%rdi)
	xor %eax, %eax
	ret
	.globl access_fetch
access_fetch:
	call *%rdi
	xor %eax, %eax
	ret

access_end:
access_failed:
	ret

	.section .note.GNU-stack, "", @progbits
