/* SPDX-License-Identifier: MIT */
/* ENTER begins here, with four arguments in the registers of a C function's and an empty stack. */
#define EXIT 8 /* enum gnomon_enclave_call */

	.text
	.globl start
start:
	call enclave_main
	mov %rax, %rdi
	mov $EXIT, %eax
	syscall
	ud2

	.section .note.GNU-stack, "", @progbits
