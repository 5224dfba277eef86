/* SPDX-License-Identifier: MIT */
/* As unmapped-read, written. */
#include "guest.inc"

start:
	mov %rax, 0x8000008
	EXIT 1
