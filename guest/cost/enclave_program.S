/* SPDX-License-Identifier: MIT */
/* What runs inside the enclaves of enclave.c, from any address: the first argument, RDI, says what (enclave.h). */
#include "enclave.h"

#define EXIT     8 /* enum gnomon_enclave_call */
#define CALL_OUT 9

	.section .rodata
	.balign 16
	.globl enclave_program, enclave_program_end
enclave_program:
	sub $ENCLAVE_OUT, %edi
	jb 1f				/* ENCLAVE_RETURN */
	je 2f
	dec %edi
	je 3f
4:	.rept 16			/* ENCLAVE_CHASE: from RSI, RDX loads */
	mov (%rsi), %rsi
	.endr
	sub $16, %rdx
	ja 4b
	mov %rsi, %rdi
1:	mov $EXIT, %eax
	syscall
	ud2
2:	mov $CALL_OUT, %eax
	syscall
	jmp 2b
3:	mov (%rsi), %rax		/* ENCLAVE_FAULT: at RSI, again with each RESUME */
	jmp 3b
enclave_program_end:
	.section .note.GNU-stack, "", @progbits
