/* SPDX-License-Identifier: MIT */
/*
 * ENTER begins here, with four arguments in the registers of a C function's and an empty stack. The registers of x87 and
 * SSE are as the last call left them: the enclave sets their controls itself.
 */
#define EXIT 8 /* enum gnomon_enclave_call */

	.text
	.globl start
start:
	fninit
	ldmxcsr mxcsr(%rip)
	call enclave_main
	mov %rax, %rdi
	mov $EXIT, %eax
	syscall
	ud2

	.section .rodata
	.balign 4
mxcsr:	.long 0x1f80 /* all exceptions masked, SDM vol. 1 11.6.4 */

	.section .note.GNU-stack, "", @progbits
