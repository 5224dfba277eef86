/* SPDX-License-Identifier: MIT */
#include "layout.h"

/* A program begins here with the address of its arguments (start.c) in RDI, every other register zero. */
	.section .text.start, "ax"
	mov %rdi, %rbx
	mov $USER_PAGE(ULOAD_AT), %esi
	mov $user_data_begin, %edi
	mov $user_data_end, %ecx
	sub %edi, %ecx
	rep movsb
	mov %rbx, %rdi
	call start
	ud2

	.section .note.GNU-stack, "", @progbits
