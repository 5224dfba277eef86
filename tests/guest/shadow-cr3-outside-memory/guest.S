/* SPDX-License-Identifier: MIT */
/* A CR3 that leads to no memory ends the guest. */
#include "guest.inc"

start:
	mov $0x8000000, %eax
	mov %rax, %cr3
	nop
	EXIT 1
