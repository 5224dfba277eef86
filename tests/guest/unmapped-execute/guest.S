/* SPDX-License-Identifier: MIT */
/* As unmapped-read, executed. */
#include "guest.inc"

start:
	mov $0x8000000, %eax
	jmp *%rax
