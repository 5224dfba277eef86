/* SPDX-License-Identifier: MIT */
/* The boot tables map it, but there is neither memory nor a device. */
#include "guest.inc"

start:
	mov 0x8000000, %eax
	EXIT 1
