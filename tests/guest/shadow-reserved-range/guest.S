/* SPDX-License-Identifier: MIT */
/* ACCESS of the range that the guest must not touch. OFFSET 0 is where the stub's code lies. */
#include "shadow-fault/fault.inc"

start:
	PREPARE
	mov $(GNOMON_RESERVED_BASE + OFFSET), %rax
	TRY ACCESS
	EXIT 1
